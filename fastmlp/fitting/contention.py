"""Whether other processes leave the cores that a team of threads needs."""

import time


class Contention:
    """Whether a team is worth a try: not for a while after one that had to wait.

    Beside a busy process one of two threads is put aside for some milliseconds at a time, while the
    other one waits; one thread alone gets a core. A failed try costs some milliseconds.
    """

    SHORTEST, LONGEST = 0.05, 0.4  # seconds

    def __init__(self) -> None:
        self._alone_until, self._pause = 0.0, self.SHORTEST

    def allows_team(self) -> bool:
        """Whether to ask for a team now."""
        return time.perf_counter() >= self._alone_until

    def report(self, complete: bool) -> None:
        """Take note whether all members came and stayed to the end."""
        if complete:
            self._pause = self.SHORTEST
        else:
            self._alone_until = time.perf_counter() + self._pause
            self._pause = min(2 * self._pause, self.LONGEST)
