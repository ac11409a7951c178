"""How often something may be tried."""

import math
import time
from collections import deque
from collections.abc import Callable

from jobdeck.domain.errors import TooMany

KEYS_MAX = 10_000


class Throttle:
    """Lets each key fail `limit` times within `window_s` seconds; only failures count."""

    def __init__(
        self, *, limit: int, window_s: float, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._timer = timer
        self._failures: dict[str, deque[float]] = {}

    def check(self, key: str) -> None:
        """Refuse a key that failed too often.

        Raises:
            TooMany: says when to try again.
        """
        failures = self._recent(key)
        if len(failures) >= self._limit:
            wait = math.ceil(failures[0] + self._window_s - self._timer())
            raise TooMany(
                f"Too many failed attempts; try again in {max(wait, 1)} seconds.", max(wait, 1)
            )

    def failed(self, key: str) -> None:
        """Note a failure."""
        if len(self._failures) >= KEYS_MAX:
            # Forgetting the oldest lets somebody with very many addresses try a little more.
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(key, deque()).append(self._timer())

    def _recent(self, key: str) -> deque[float]:
        failures = self._failures.get(key)
        if failures is None:
            return deque()
        limit = self._timer() - self._window_s
        while failures and failures[0] <= limit:
            failures.popleft()
        if not failures:
            del self._failures[key]
        return failures
