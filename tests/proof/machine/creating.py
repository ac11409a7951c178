"""Jobs are created: with unique keys, by requests that come again, in a caller's transaction."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from msgspec import structs
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from jobdeck.actions import creation
from jobdeck.actions import jobs as asked
from jobdeck.actions.creation import Origin, Recipes, create_within
from jobdeck.actions.once import Once
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import Duplicate, InvalidValue, NotFound
from jobdeck.domain.uniqueness import Kept, Unique
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store.borrowed import Borrower
from jobdeck.store.enqueue import NewJob, enqueue
from tests.proof.machine.stand import ANA, FLOWS, Died, Mortal, Stand

KINDS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from((0, 0, -3, 5)), st.integers(0, 3)),
    min_size=1,
    max_size=6,
)
DAY = 86_400 * SECOND


class Request(NamedTuple):
    """What came with an Idempotency-Key, and how far it was answered."""

    flow: str
    many: int
    ids: list[int]
    until: Micros


class Creating(Stand):
    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[str, Request] = {}
        self.callers = ExitStack()
        # Nobody ends a caller's transaction on PostgreSQL because it rests.
        self.engine = self.store.writer
        if not self.store.sqlite:
            self.engine = create_engine(self.store.url, poolclass=NullPool)
        self.in_hand: list[tuple[int, NewJob]] = []
        """What a caller's transaction that has not ended would create."""

    def teardown(self) -> None:
        self.callers.close()
        super().teardown()

    @rule(kinds=KINDS, undone=st.sampled_from((False, False, False, True)))
    def enqueue(self, kinds: list[tuple[int, int, int]], undone: bool) -> None:
        new = [self.job_of(self.flow_ids[flow], *rest) for flow, *rest in kinds]
        try:
            with Mortal(self.store, lives=0 if undone else 1).write() as conn:
                ids = enqueue(conn, new, self.now)
        except Died:
            return
        for job_id, job in zip(ids, new, strict=True):
            self.note(job_id, job)

    @rule(
        key=st.sampled_from(("a", "b")),
        flow=st.integers(0, 2),
        seconds=st.sampled_from((0, 0, 3)),
        keep=st.booleans(),
    )
    def enqueue_with_a_key(self, key: str, flow: int, seconds: int, keep: bool) -> None:
        until = self.now + seconds * SECOND if seconds else None
        unique = Unique(key=key, until=until, keep=keep)
        new = structs.replace(self.job_of(self.flow_ids[flow]), unique=unique)
        holder = self.model.holder(key, self.now)
        try:
            with self.store.write() as conn:
                [job_id] = enqueue(conn, [new], self.now)
        except Duplicate as error:
            named = error.job
            assert (named, keep) == (holder, False)
            return
        assert isinstance(job_id, Kept) == (holder is not None)
        if holder is not None:
            assert (job_id, keep) == (holder, True)
            return
        self.note(job_id, new).key = key
        self.model.keys[key] = job_id, until or 0

    # -- requests that come again ----------------------------------------------------------

    @rule(
        key=st.sampled_from(("x", "y")),
        flow=st.sampled_from(sorted(FLOWS)),
        many=st.sampled_from((1, 1, 3)),
        lives=st.sampled_from((0, 1, 9)),
    )
    def request(self, key: str, flow: str, many: int, lives: int) -> None:
        """Who answers it may die meanwhile; whoever answers it next goes on."""
        known = self.requests.get(key)
        if known is not None and known.until <= self.now:
            known = None
        if known is None:
            known = Request(flow, many, [], self.now + DAY)
        same = (flow, many) == (known.flow, known.many)
        call = self._create if many == 1 else self._create_many
        got: list[int] | None = None
        try:
            got = call(Mortal(self.store, lives), key, flow, many)
        except InvalidValue:
            assert not same
            return
        except NotFound:
            # It was answered by a job that somebody has deleted since.
            assert many == 1
            assert known.ids
            assert known.ids[0] not in self.model.jobs
            return
        except Died:
            pass
        assert same
        for row in self.unknown():
            known.ids.append(row.id)
            self.note(row.id, self.job_of(row.flow_id))
        assert len(known.ids) == many if got else len(known.ids) <= many
        assert got in (None, known.ids)
        if known.ids:
            self.requests[key] = known

    def _create(self, store: Any, key: str, flow: str, many: int) -> list[int]:
        once = Once.of(ANA, key, f"{flow} {many}".encode())
        return [asked.create(store, ANA, "", EnqueueItem(flow=flow), once=once).id]

    def _create_many(self, store: Any, key: str, flow: str, many: int) -> list[int]:
        once = Once.of(ANA, key, f"{flow} {many}".encode())
        items = [EnqueueItem(flow=flow)] * many
        with patch.object(creation, "CHUNK", 2):
            return asked.create_many(store, ANA, "", items, recipes=Recipes(), once=once)

    # -- in a transaction of the caller's --------------------------------------------------

    @precondition(lambda self: not self.in_hand)
    @rule(kinds=KINDS, commits=st.booleans(), stays=st.booleans())
    def enqueue_within(self, kinds: list[tuple[int, int, int]], commits: bool, stays: bool) -> None:
        """On PostgreSQL it may stay open while others go on; on SQLite nobody else could write."""
        items = [
            EnqueueItem(
                flow=list(FLOWS)[flow],
                priority=priority,
                run_at=self.now + delay * SECOND if delay else None,
            )
            for flow, priority, delay in kinds
        ]
        self.caller = self.callers.enter_context(self.engine.connect())
        self.caller.begin()
        ids = create_within(
            *(Borrower(self.store), self.caller, self.store, items),
            *(Origin(source="sdk"), Recipes()),
        )
        new = [self.job_of(self.flow_ids[flow], *rest) for flow, *rest in kinds]
        self.in_hand = list(zip(ids, new, strict=True))
        if self.store.sqlite or not stays:
            self.end_a_transaction(commits)

    @precondition(lambda self: self.in_hand)
    @rule(commits=st.booleans())
    def end_a_transaction(self, commits: bool) -> None:
        """The caller commits, or takes everything back."""
        if commits:
            self.caller.commit()
        else:
            self.caller.rollback()
        self.callers.close()
        in_hand, self.in_hand = self.in_hand, []
        for job_id, new in in_hand if commits else ():
            self.note(job_id, new)
