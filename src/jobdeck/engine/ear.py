"""What a pool hears from those who enqueue."""

import selectors
import time

from jobdeck.domain.errors import StoreError
from jobdeck.store.database import Store
from jobdeck.store.wake import Listener

CALLERS_S = 0.1

GAP_S = 0.0005
"""Whoever waits for SQLite's lock tries every 0.3 ms, and would miss a shorter time in which it is
free: measured, one call in twenty waited for ten transactions."""


class Ear:
    """Listens as soon as the database answers, and again if that has broken off."""

    def __init__(self, store: Store, selector: selectors.BaseSelector) -> None:
        self._store = store
        self._selector = selector
        self._listener: Listener | None = None
        self._heard = False
        self._heard_at = -CALLERS_S
        self._free_since = 0.0

    def listen(self) -> bool:
        """Listen; whether it had not until now, so that something may have been missed."""
        if self._listener is not None:
            return False
        self._listener = self._store.listener()
        self._selector.register(self._listener, selectors.EVENT_READ, self._on_poke)
        return True

    def heard(self) -> bool:
        """Whether something came since the last call."""
        heard, self._heard = self._heard, False
        return heard

    def waited_for(self) -> bool:
        """Whether somebody probably waits for SQLite's lock: whoever has enqueued a moment ago
        often does so again, and is to find short transactions."""
        return self._store.sqlite and time.monotonic() - self._heard_at < CALLERS_S

    def freed(self) -> None:
        """A transaction has just ended."""
        self._free_since = time.monotonic()

    def let_pass(self) -> None:
        """Leave SQLite's lock to those who wait for it, unless they had the time to take it."""
        rest = self._free_since + GAP_S - time.monotonic()
        if rest > 0 and self.waited_for():
            time.sleep(rest)

    def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.close()

    def _on_poke(self) -> None:
        listener = self._listener
        assert listener is not None
        self._heard, self._heard_at = True, time.monotonic()
        try:
            listener.drain()
        except StoreError:
            self._selector.unregister(listener)
            listener.close()
            self._listener = None
            raise
