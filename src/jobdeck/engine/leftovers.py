"""What jobs leave behind when they end, tidied up in portions: unique keys and claimed items."""

from jobdeck.domain.clock import Micros
from jobdeck.store import idempotency, items, unique_keys
from jobdeck.store.database import Store

PORTIONS = 50
"""Transactions of each kind in one turn, so that schedules need not wait."""


class Leftovers:
    """Goes on where the turn before ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = ""
        self._job: int | None = 0

    def tidy(self, now: Micros) -> bool:
        """Do a bounded part of it; whether there is more to do at once."""
        more = [self._keys(now), self._items(now)]
        with self._store.write() as conn:
            more.append(items.purge(conn, now) >= items.PURGE)
            more.append(idempotency.purge(conn, now) >= idempotency.PURGE)
        return any(more)

    def _keys(self, now: Micros) -> bool:
        """Remove unique keys that nobody holds any more."""
        gone = 0
        for _ in range(PORTIONS):
            with self._store.write() as conn:
                found, self._key = unique_keys.purge(conn, now, self._key)
            gone += found
            if not self._key:
                return False
        return gone > PORTIONS * unique_keys.SLICE // 2

    def _items(self, now: Micros) -> bool:
        """Write down what became of claimed items."""
        for _ in range(PORTIONS):
            with self._store.write() as conn:
                self._job = items.settle(conn, now, self._job or 0)
            if self._job is None:
                return False
        return True
