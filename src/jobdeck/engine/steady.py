"""Noticing that the system's clock was set: what is due in a second must not wait for an hour."""

import time

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros


class SteadyClock:
    """Compares the clock that people set with one that nobody can."""

    def __init__(self) -> None:
        self._ahead = self._read()

    def _read(self) -> Micros:
        return clock.now() - time.monotonic_ns() // 1000

    def moved(self) -> Micros:
        """How far the clock was set since the last call, forward or (below zero) back; 0 if by
        less than a second, as time servers do it little by little."""
        before, self._ahead = self._ahead, self._read()
        moved = self._ahead - before
        return moved if abs(moved) >= SECOND else 0
