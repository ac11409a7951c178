"""What changed in a store, told to open pages and scripts as it happens."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

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
LINGER_S = 1.0
"""So long a poller goes on when nobody listens any more."""

_LATE = 200
"""So far back a poller on PostgreSQL looks each time."""

_SETTLE_S, _SETTLE_LOOK_S = 1.0, 0.005
"""How long it waits in the beginning for transactions of others to end, and how often it looks."""

_log = structlog.get_logger("jobdeck.http")

Topic = str | tuple[str, str]
"""A topic of `domain.records.Change`, or a topic and the ref that is meant."""


class Position(NamedTuple):
    """Where a listener begins: `last` is the largest number that there is, and `mark` one up to
    which none is still to come."""

    last: int
    mark: int


class Batch(Struct, frozen=True):
    """Changes since the last batch, each (topic, ref, kind) once. `reload`: some were missed, so
    look at everything again. `mark` is the number to go on from: of those up to it none was left
    out. `last` is the largest number, and `late` rises with each change that came after a larger
    one: together they tell whether anything is new."""

    changes: tuple[Change, ...]
    last: int
    reload: bool = False
    late: int = 0
    mark: int = 0


def _created(last: int) -> Change:
    """What tells of new jobs: their numbers do, so that no enqueue need write it."""
    return Change(id=last, at=clock.now(), topic="jobs", kind="created")


class _Subscriber:
    def __init__(self, topics: Collection[Topic]) -> None:
        self._all = frozenset(t for t in topics if isinstance(t, str))
        self._some = frozenset(t for t in topics if not isinstance(t, str))
        self._pending: dict[tuple[str, str, str], Change] = {}
        self._reload = False
        self._last = self._late = 0
        self.mark = 0
        self.event = asyncio.Event()

    def wants(self, change: Change) -> bool:
        if not self._all and not self._some:
            return True
        return change.topic in self._all or (change.topic, change.ref) in self._some

    def offer(
        self, found: Collection[Change], last: int, *, late: int = 0, missed: bool = False
    ) -> None:
        self._last = max(last, self._last)
        self._late = max(late, self._late)
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
        changes = tuple(self._pending.values())
        batch = Batch(changes, self._last, self._reload, self._late, self.mark)
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
        self._feed = Feed(store)
        self._opened: asyncio.Future[None] | None = None
        self._late = 0
        self.closing = asyncio.Event()

    async def position(self) -> Position:
        """Where to subscribe from, after reading something meanwhile: nothing is missed then."""
        await self._start()
        mark = self._feed.told
        return Position(await asyncio.to_thread(self._latest), mark)

    def _latest(self) -> int:
        with self._store.read() as conn:
            return changes.latest_id(conn)

    async def subscribe(
        self, topics: Collection[Topic] = (), after: int | None = None, idle_s: float | None = None
    ) -> AsyncIterator[Batch]:
        """Batches of what changes in these topics (none: in all), until the server shuts down.

        `after` is the `mark` of an earlier batch, or of a position: what happened since comes
        first, and some of it may have come before. With `idle_s` an empty batch comes whenever
        nothing else has for that many seconds.
        """
        subscriber = _Subscriber(topics)
        self._subscribers.add(subscriber)
        try:
            await self._start()
            subscriber.mark = self._feed.told
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
        told = self._feed.told
        found, last = await asyncio.to_thread(self._since, after)
        # A number that is gone, or one of another store, cannot be gone on from.
        missed = last < after or len(found) > REPLAY_MAX or (found and found[0].id > after + 1)
        subscriber.mark = told if missed else max(after, told)
        subscriber.offer(
            [*found[:REPLAY_MAX], _created(last)], last, late=self._late, missed=bool(missed)
        )

    def _since(self, after: int) -> tuple[list[Change], int]:
        with self._store.read() as conn:
            return changes.after(conn, after, REPLAY_MAX + 1), changes.latest_id(conn)

    async def _start(self) -> None:
        if self._poller is None or self._poller.done():
            self._feed = feed = Feed(self._store)
            self._opened = asyncio.ensure_future(asyncio.to_thread(feed.open))
            self._poller = asyncio.create_task(self._poll(feed, self._opened))
        if self._opened is not None:
            await asyncio.shield(self._opened)

    async def _poll(self, feed: "Feed", opened: "asyncio.Future[None]") -> None:
        """Read what is new while anybody listens. A store out of reach is tried again."""
        failing = False
        try:
            await opened
            listened = time.monotonic()
            while not self.closing.is_set():
                if self._subscribers:
                    listened = time.monotonic()
                elif time.monotonic() - listened > LINGER_S:
                    break
                await asyncio.sleep(POLL_S)
                try:
                    found = await asyncio.to_thread(feed.read)
                except StoreError as error:
                    if not failing:
                        _log.warning("cannot follow changes", error=str(error))
                    failing = True
                    await asyncio.sleep(1)
                    continue
                self._offer(feed, found, missed=failing or feed.missed)
                failing = False
        finally:
            feed.close()

    def _offer(self, feed: "Feed", found: list[Change], *, missed: bool) -> None:
        self._late += feed.late
        feed.told = feed.settled
        for subscriber in self._subscribers:
            if found or missed:
                subscriber.offer(found, feed.last, late=self._late, missed=missed)
            subscriber.mark = max(subscriber.mark, feed.told)

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
        self.late = 0
        """How many of those that were found last came after a larger number."""
        self.missed = False
        self.told = 0
        """The number up to which all have been told to who listens."""
        # Numbers up to the first one are all there; those up to the second are once all
        # transactions below the third have ended.
        self._settled, self._open_to, self._open_below = 0, 0, 0
        self._unsure = False

    @property
    def settled(self) -> int:
        """The number up to which all changes have been read: none of them is still to come."""
        if self._store.sqlite:
            return self.last
        return 0 if self._unsure else self._settled

    def open(self) -> None:
        """Begin after what is there now."""
        with self._store.read() as conn:
            self.last = self._settled = self._open_to = changes.latest_id(conn)
            self._newest = selections.newest(conn)
        if not self._store.sqlite:
            self._settle()
        with self._store.read() as conn:
            recent = changes.after(conn, max(self.last - _LATE, 0), REPLAY_MAX)
            self._seen = {change.id for change in recent if change.id <= self.last}
        self.told = self.settled

    def _settle(self) -> None:
        """Wait for transactions that may still commit smaller numbers than the largest. If one
        lasts, nobody can tell which those will be: then all is to be looked at again."""
        with self._store.read() as conn:
            self._open_below = transactions.begun_below(conn)
        until = time.monotonic() + _SETTLE_S
        self._unsure = True
        while self._unsure and time.monotonic() < until:
            with self._store.read() as conn:
                self._unsure = transactions.ended_below(conn) < self._open_below
            if self._unsure:
                time.sleep(_SETTLE_LOOK_S)

    def read(self) -> list[Change]:
        """What is new."""
        self.late = 0
        if not self._watch.committed():
            return []
        with self._store.read() as conn:
            late = [] if self._store.sqlite else self._late(conn)
            all_ = {change.id: change for change in (*late, *self._recent(conn))}
            found = [all_[number] for number in sorted(all_.keys() - self._seen)]
            newest = selections.newest(conn)
        if found:
            self.late = sum(change.id < self.last for change in found)
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
        settled = self._settled == self.last and not self._unsure
        if settled or transactions.ended_below(conn) < self._open_below:
            return []
        found: list[Change] = []
        self.missed, self._unsure = self._unsure, False
        if self._settled < self._open_to:
            found = changes.after(conn, self._settled, REPLAY_MAX)
            self.missed |= len(found) == REPLAY_MAX and found[-1].id < self._open_to
        self._settled, self._open_to = self._open_to, self.last
        self._open_below = transactions.begun_below(conn)
        return [] if self.missed else found

    def _recent(self, conn: Connection) -> list[Change]:
        late = 0 if self._store.sqlite else _LATE
        return changes.after(conn, max(self.last - late, 0), REPLAY_MAX)

    def close(self) -> None:
        """Let go of its connection."""
        self._watch.close()
