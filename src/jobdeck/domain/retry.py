"""When a failed attempt is tried again."""

import random

from msgspec import Struct

LONGEST_S = 366 * 86400.0
"""Whatever the other side asks for: a year."""

MAX_LOSSES = 3
"""How often a job may lose its worker before it is failed; a job that kills its worker
must not take down a pool for ever."""


class RetryPolicy(Struct, frozen=True):
    """`retries` more attempts, the n-th after `backoff_s` * 2**(n-1) seconds, at most `max_s`.

    `jitter` is the part of the delay that is drawn at random, so that a crowd of jobs that
    failed together does not come back together.
    """

    retries: int = 0
    backoff_s: float = 15.0
    max_s: float = 3600.0
    jitter: float = 0.2

    def delay(self, failures: int, retry_after_s: float | None = None) -> float | None:
        """Seconds until the next attempt after `failures` failed ones; None: no more.

        `retry_after_s` is what the other side asked for (HTTP's Retry-After): never sooner.
        """
        if failures > self.retries:
            return None
        delay = min(self.backoff_s * 2.0 ** min(failures - 1, 60), self.max_s)
        delay *= 1 - self.jitter * random.random()
        return min(max(delay, retry_after_s or 0.0), LONGEST_S)
