"""What changed in a store, told to open pages and scripts as it happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

import structlog
from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.errors import StoreError
from jobdeck.domain.records import Change
from jobdeck.store import changes, selections, transactions
from jobdeck.store.database import Store
from jobdeck.store.watch import CommitWatch

POLL_S = 0.1
PENDING_MAX = 500
"""A subscriber that lags by more distinct changes is told to look at everything again."""

REPLAY_MAX = 1000
_LATE = 200
"""So far back a poller on PostgreSQL looks each time."""

_log = structlog.get_logger("jobdeck.http")

Topic = str | tuple[str, str]
"""A topic of `domain.records.Change`, or a topic and the ref that is meant."""


class Batch(Struct, frozen=True):
    """Changes since the last batch, each (topic, ref, kind) once; `last` is the number to go on
    from. `reload`: some were missed, so look at everything again."""

    changes: tuple[Change, ...]
    last: int
    reload: bool = False


def _created(last: int) -> Change:
    """What tells of new jobs: their numbers do, so that no enqueue need write it."""
    return Change(id=last, at=clock.now(), topic="jobs", kind="created")


class _Subscriber:
    def __init__(self, topics: Collection[Topic]) -> None:
        self._all = frozenset(t for t in topics if isinstance(t, str))
        self._some = frozenset(t for t in topics if not isinstance(t, str))
        self._pending: dict[tuple[str, str, str], Change] = {}
        self._reload = False
        self._last = 0
        self.event = asyncio.Event()

    def wants(self, change: Change) -> bool:
        if not self._all and not self._some:
            return True
        return change.topic in self._all or (change.topic, change.ref) in self._some

    def offer(self, found: Collection[Change], last: int, *, missed: bool = False) -> None:
        self._last = max(last, self._last)
        for change in found:
            if self.wants(change):
                key = (change.topic, change.ref, change.kind)
                self._pending.pop(key, None)
                self._pending[key] = change
        if missed or len(self._pending) > PENDING_MAX:
            self._pending.clear()
            self._reload = True
        if self._pending or self._reload:
            self.event.set()

    def take(self) -> Batch:
        batch = Batch(tuple(self._pending.values()), self._last, self._reload)
        self._pending.clear()
        self._reload = False
        self.event.clear()
        return batch


class Hub:
    """One poller for all who listen to one store; it rests while nobody does.

    Belongs to one event loop. The store is read in threads.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._subscribers: set[_Subscriber] = set()
        self._poller: asyncio.Task[None] | None = None
        self._feed: Feed | None = None
        self.closing = asyncio.Event()

    async def latest(self) -> int:
        """The number of the newest change, to subscribe from after reading something."""
        return await asyncio.to_thread(self._latest)

    def _latest(self) -> int:
        with self._store.read() as conn:
            return changes.latest_id(conn)

    async def subscribe(
        self, topics: Collection[Topic] = (), after: int | None = None, idle_s: float | None = None
    ) -> AsyncIterator[Batch]:
        """Batches of what changes in these topics (none: in all), until the server shuts down.

        `after` is the `last` of an earlier batch: what happened since comes first. With `idle_s`
        an empty batch comes whenever nothing else has for that many seconds.
        """
        subscriber = _Subscriber(topics)
        self._subscribers.add(subscriber)
        try:
            await self._start()
            if after is not None:
                await self._replay(subscriber, after)
            while not self.closing.is_set():
                batch = await self._next(subscriber, idle_s)
                if batch is None:
                    return
                yield batch
        finally:
            self._subscribers.discard(subscriber)

    async def _next(self, subscriber: _Subscriber, idle_s: float | None) -> Batch | None:
        if not subscriber.event.is_set():
            waits = [
                asyncio.ensure_future(subscriber.event.wait()),
                asyncio.ensure_future(self.closing.wait()),
            ]
            try:
                await asyncio.wait(waits, timeout=idle_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return None if self.closing.is_set() else subscriber.take()

    async def _replay(self, subscriber: _Subscriber, after: int) -> None:
        found, last = await asyncio.to_thread(self._since, after)
        # A number that is gone, or one of another store, cannot be gone on from.
        missed = last < after or len(found) > REPLAY_MAX or (found and found[0].id > after + 1)
        subscriber.offer([*found[:REPLAY_MAX], _created(last)], last, missed=bool(missed))

    def _since(self, after: int) -> tuple[list[Change], int]:
        with self._store.read() as conn:
            return changes.after(conn, after, REPLAY_MAX + 1), changes.latest_id(conn)

    async def _start(self) -> None:
        if self._poller is None or self._poller.done():
            self._feed = feed = Feed(self._store)
            opened = asyncio.ensure_future(asyncio.to_thread(feed.open))
            self._poller = asyncio.create_task(self._poll(feed, opened))
            await asyncio.shield(opened)

    async def _poll(self, feed: "Feed", opened: "asyncio.Future[None]") -> None:
        """Read what is new while anybody listens. A store out of reach is tried again."""
        failing = False
        try:
            await opened
            while self._subscribers and not self.closing.is_set():
                await asyncio.sleep(POLL_S)
                try:
                    found = await asyncio.to_thread(feed.read)
                except StoreError as error:
                    if not failing:
                        _log.warning("cannot follow changes", error=str(error))
                    failing = True
                    await asyncio.sleep(1)
                    continue
                for subscriber in self._subscribers if found or failing or feed.missed else ():
                    subscriber.offer(found, feed.last, missed=failing or feed.missed)
                failing = False
        finally:
            feed.close()

    async def close(self) -> None:
        """End every subscription and the poller."""
        self.closing.set()
        if self._poller is not None:
            self._poller.cancel()
            with contextlib.suppress(asyncio.CancelledError, StoreError):
                await self._poller


class Feed:
    """The position up to which one poller has read.

    PostgreSQL hands out numbers before commits, so a smaller one may appear after a larger. What
    lies close behind is looked at again each time, and all numbers once more as soon as every
    transaction has ended that may have taken them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: set[int] = set()
        self._watch = CommitWatch(store)
        self._newest = 0
        self.last = 0
        self.missed = False
        # Numbers up to the first one are all there; those up to the second are once all
        # transactions below the third have ended.
        self._settled, self._open_to, self._open_below = 0, 0, 0

    def open(self) -> None:
        """Begin after what is there now."""
        with self._store.read() as conn:
            self.last = changes.latest_id(conn)
            self._settled, self._open_to = max(self.last - _LATE, 0), self.last
            self._open_below = 0 if self._store.sqlite else transactions.begun_below(conn)
            self._seen = {change.id for change in self._recent(conn)}
            self._newest = selections.newest(conn)

    def read(self) -> list[Change]:
        """What is new."""
        if not self._watch.committed():
            return []
        with self._store.read() as conn:
            late = [] if self._store.sqlite else self._late(conn)
            all_ = {change.id: change for change in (*late, *self._recent(conn))}
            found = [all_[number] for number in sorted(all_.keys() - self._seen)]
            newest = selections.newest(conn)
        if found:
            self.last = max(self.last, found[-1].id)
            if not self._store.sqlite:
                self._seen.update(change.id for change in found)
                kept = max(min(self.last - 2 * _LATE, self._settled), self.last - 2 * REPLAY_MAX)
                self._seen = {seen for seen in self._seen if seen > kept}
        if newest > self._newest:
            self._newest = newest
            found.append(_created(self.last))
        return found

    def _late(self, conn: Connection) -> list[Change]:
        """All from the last settled number on, once more numbers are settled."""
        self.missed = False
        if self._settled == self.last or transactions.ended_below(conn) < self._open_below:
            return []
        found: list[Change] = []
        if self._settled < self._open_to:
            found = changes.after(conn, self._settled, REPLAY_MAX)
            self.missed = len(found) == REPLAY_MAX and found[-1].id < self._open_to
        self._settled, self._open_to = self._open_to, self.last
        self._open_below = transactions.begun_below(conn)
        return [] if self.missed else found

    def _recent(self, conn: Connection) -> list[Change]:
        late = 0 if self._store.sqlite else _LATE
        return changes.after(conn, max(self.last - late, 0), REPLAY_MAX)

    def close(self) -> None:
        """Let go of its connection."""
        self._watch.close()
