"""Random calls, settings and input: only documented exceptions, and nothing lost.

    python -m pytest -m repeated --times 10 tests/fuzzing

makes ten times as many trials as the full run, others each time. The full run repeats the same.
"""
