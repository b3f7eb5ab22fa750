"""Contention with other processes for the cores that a team of threads needs."""

import time


class Contention:
    """Decides when to use a team of threads: not for a while after one whose members had to wait.

    Beside a busy process the system suspends one of two threads for some milliseconds at a time,
    while the other waits; a single thread gets a core. A failed attempt costs some milliseconds.
    """

    SHORTEST, LONGEST = 0.05, 0.4  # seconds

    def __init__(self) -> None:
        self._alone_until, self._pause = 0.0, self.SHORTEST

    def allows_team(self) -> bool:
        """Whether to request a team now."""
        return time.perf_counter() >= self._alone_until

    def report(self, complete: bool) -> None:
        """Record whether all members of a team started and stayed to the end."""
        if complete:
            self._pause = self.SHORTEST
        else:
            self._alone_until = time.perf_counter() + self._pause
            self._pause = min(2 * self._pause, self.LONGEST)
