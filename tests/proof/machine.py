"""Random operations by several pools and operators on a store, step by step beside the model."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs
from sqlalchemy import func, select

from jobdeck.actions import jobs as asked
from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import Duplicate, WrongState
from jobdeck.domain.retry import MAX_LOSSES
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Code
from jobdeck.domain.uniqueness import Kept, Unique
from jobdeck.store import (
    claims,
    delays,
    flows,
    jobs,
    orphans,
    parents,
    pipelines,
    pools,
    queues,
    steps,
)
from jobdeck.store import outcomes as ended
from jobdeck.store import tables as t
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.limits import allowance
from jobdeck.store.steps import StepRow
from tests.proof.model import Job, Key, Model
from tests.store.world import manifest

START = 1_780_000_000 * SECOND
ANA = Actor("ana", Role.OPERATOR)
FLOWS = {"mail": "mail", "etl": "etl", "report": "etl"}
FATES = ("completed", "failed", "retrying", "stopped", "lost", "back", "parked")
DEEDS = ("stop", "kill", "finish", "retry", "restart", "delete")
FINAL = (Code.COMPLETED, Code.FAILED, Code.STOPPED)
POOLS = 3


class Handed(NamedTuple):
    """A hand-out as its pool remembers it, also long after others took the job away."""

    row: claims.Claimed
    pool: int

    @property
    def key(self) -> Key:
        return self.row.job_id, self.row.claim


class StoreMachine(RuleBasedStateMachine):
    """Every operation is the store's own; `opened` gives an empty store to begin with."""

    opened: ClassVar[staticmethod[[], Store]]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.opened()
        self.model = Model()
        self.now = START
        self._clock = clock.now
        clock.now = lambda: self.now
        self.handed: list[Handed] = []
        self.pools: list[int] = []

    def teardown(self) -> None:
        clock.now = self._clock
        self.store.close()

    @initialize()
    def define(self) -> None:
        with self.store.write() as conn:
            for name, queue in FLOWS.items():
                pipelines.register(conn, manifest(name, queue), START, publish=True)
            self.queue_ids = {name: queues.ids(conn)[name] for name in set(FLOWS.values())}
            self.flow_ids = [flows.get(conn, name).id for name in FLOWS]
            self.queue_of = {
                flow: self.queue_ids[queue]
                for flow, queue in zip(self.flow_ids, FLOWS.values(), strict=True)
            }
            self.pools = [self._open(conn) for _ in range(POOLS)]

    def _open(self, conn: Any) -> int:
        return pools.open(conn, "host", 1, 1, [], self.now)

    # -- creating --------------------------------------------------------------------------

    def _new(self, flow: int, priority: int, delay: int, parent: int | None = None) -> NewJob:
        return NewJob(
            flow_id=flow,
            queue_id=self.queue_of[flow],
            priority=priority,
            run_at=self.now + delay * SECOND if delay else None,
            parent_id=parent,
        )

    def _note(self, job_id: int, new: NewJob) -> None:
        later = new.run_at is not None
        self.model.add(
            Job(
                id=job_id,
                flow=new.flow_id,
                queue=new.queue_id,
                priority=new.priority,
                place="delayed" if later else "ready",
                code=Code.SCHEDULED if later else Code.PENDING,
                parent=new.parent_id,
                run_at=new.run_at,
            )
        )

    @rule(
        kinds=st.lists(
            st.tuples(st.integers(0, 2), st.sampled_from((0, 0, -3, 5)), st.integers(0, 3)),
            min_size=1,
            max_size=6,
        ),
        undone=st.sampled_from((False, False, False, True)),
    )
    def enqueue(self, kinds: list[tuple[int, int, int]], undone: bool) -> None:
        new = [self._new(self.flow_ids[flow], *rest) for flow, *rest in kinds]
        with self.store.write() as conn:
            ids = enqueue(conn, new, self.now)
            if undone:
                conn.rollback()
                return
        for job_id, job in zip(ids, new, strict=True):
            self._note(job_id, job)

    @rule(
        key=st.sampled_from(("a", "b")),
        flow=st.integers(0, 2),
        seconds=st.sampled_from((0, 0, 3)),
        keep=st.booleans(),
    )
    def enqueue_with_a_key(self, key: str, flow: int, seconds: int, keep: bool) -> None:
        until = self.now + seconds * SECOND if seconds else None
        unique = Unique(key=key, until=until, keep=keep)
        new = structs.replace(self._new(self.flow_ids[flow], 0, 0), unique=unique)
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
        self._note(job_id, new)
        self.model.jobs[job_id].key = key
        self.model.keys[key] = job_id, until or 0

    # -- what pools do ---------------------------------------------------------------------

    @rule(pool=st.integers(0, POOLS - 1), limit=st.integers(1, 5))
    def claim(self, pool: int, limit: int) -> None:
        open_lanes = [
            (queue, flow) for flow, queue in self.queue_of.items() if queue not in self.model.paused
        ]
        expected = self.model.order(limit)
        with self.store.write() as conn:
            allowed = allowance(conn, self.model.queue_limits, self.model.flow_limits, self.now)
            taken = claims.claim(conn, open_lanes, limit, self.pools[pool], self.now, allowed)
        assert [row.job_id for row in taken] == expected
        for row in taken:
            job = self.model.jobs[row.job_id]
            assert (row.attempt, row.losses) == (job.attempt, job.losses)
            self.model.claimed(row.job_id, row.claim, self.pools[pool])
            self.handed.append(Handed(row, self.pools[pool]))
        waiting = {i for i in expected if self.model.awaits(self.model.jobs[i])}
        parked = [self._ending(h, "parked") for h in self.handed if h.row in taken]
        parked = [ending for ending in parked if ending.job_id in waiting]
        with self.store.write() as conn:
            assert parents.awaited(conn, expected) == waiting
            ended.finish(conn, parked)
        self._apply(parked)

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.sampled_from(self.handed), min_size=1, max_size=3))
        rows = [
            claims.Begun(*h.key, 1, self.now, h.row.queue_id, h.row.flow_id)
            for h in {h.key: h for h in some}.values()
        ]
        with self.store.write() as conn:
            claims.begin(conn, rows)
        for row in rows:
            job = self.model.jobs.get(row.job_id)
            if job and self.model.holds((row.job_id, row.claim)) and not job.shown:
                self.model.begun(job)

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        """Ends of claims, also of those that hold no more: they change nothing."""
        some = data.draw(st.lists(st.sampled_from(self.handed), min_size=1, max_size=4))
        fates = {handed.row.job_id: (handed, data.draw(st.sampled_from(FATES))) for handed in some}
        endings = [self._ending(*each) for each in fates.values() if self._possible(*each)]
        held = [e for e in endings if self.model.holds((e.job_id, e.claim))]
        with self.store.write() as conn:
            accepted = ended.finish(conn, endings)
        assert {(e.job_id, e.claim) for e in accepted} == {(e.job_id, e.claim) for e in held}
        self._apply(held)

    def _possible(self, handed: Handed, fate: str) -> bool:
        """Only who has fanned out waits for children."""
        job = self.model.jobs.get(handed.row.job_id)
        return fate != "parked" or job is None or job.told == job.attempt

    def _ending(self, handed: Handed, fate: str) -> ended.Ending:
        row = handed.row
        job = self.model.jobs.get(row.job_id)
        shown = job is not None and job.shown and self.model.holds(handed.key)
        code = {
            "completed": Code.COMPLETED,
            "failed": Code.FAILED,
            "retrying": Code.RETRYING,
            "stopped": Code.STOPPED,
            "parked": Code.RUNNING,
        }.get(fate, Code.PENDING)
        lost = fate == "lost"
        if lost and row.losses + 1 > MAX_LOSSES:
            code = Code.FAILED
        return ended.Ending(
            *row[:7],
            code=code,
            shown=shown,
            began=shown or fate != "back",
            lost=lost,
            finished_at=self.now,
            started_at=self.now if shown or fate != "back" else None,
            run_at=self.now + 2 * SECOND if code == Code.RETRYING else None,
            parent_id=row.parent_id,
            pool_id=handed.pool,
            worker_id=1,
        )

    def _apply(self, held: list[ended.Ending]) -> None:
        model, closed = self.model, []
        for e in held:
            job = model.jobs[e.job_id]
            code = e.code
            if job.stop and code in (Code.PENDING, Code.RETRYING):
                code = Code.STOPPED  # who asked for a stop gets it, whatever happens meanwhile
            if code in FINAL:
                model.close(job, code, began=e.began)
                closed.append(job)
            elif code != Code.RUNNING:
                job.run_at = e.run_at
                model.left(job, code, began=e.began, lost=e.lost)
        model.count_children(closed)
        for e in held:
            if e.code == Code.RUNNING:
                model.park(model.jobs[e.job_id])

    @precondition(lambda self: self._begun())
    @rule(
        data=st.data(),
        start=st.integers(0, 3),
        many=st.integers(1, 3),
        fails_when=st.sampled_from(parents.RULES),
        waits=st.booleans(),
    )
    def fan_out(
        self, data: st.DataObject, start: int, many: int, fails_when: str, waits: bool
    ) -> None:
        job = data.draw(st.sampled_from(self._begun()))
        flow = self.flow_ids[data.draw(st.integers(0, 2))]
        new = [self._new(flow, 0, 0, job.id) for _ in range(many)]
        with self.store.write() as conn:
            steps.save(conn, [self._step(job, "running")])
            ids = parents.add_children(conn, job.id, "extract", start, new, self.now, fails_when)
        job.told, job.step_done = job.attempt, False
        missing = [i for i in range(start, start + many) if i not in job.children]
        assert len(ids) == len(missing)
        for index, job_id in zip(missing, ids, strict=True):
            self._note(job_id, new[0])
            job.children[index] = job_id
        if ids:
            job.fails_when = fails_when
        if waits:
            handed = next(h for h in self.handed if h.key == (job.id, job.claim))
            parked = self._ending(handed, "parked")
            with self.store.write() as conn:
                assert ended.finish(conn, [parked])
            self._apply([parked])

    @precondition(lambda self: self._fanned_out())
    @rule(data=st.data())
    def complete_the_step(self, data: st.DataObject) -> None:
        """The one that made children; its worker may die before it says that the job waits."""
        job = data.draw(st.sampled_from(self._fanned_out()))
        with self.store.write() as conn:
            steps.save(conn, [self._step(job, "completed")])
        job.step_done = True

    def _fanned_out(self) -> list[Job]:
        return [job for job in self._begun() if job.told == job.attempt]

    def _step(self, job: Job, status: str) -> StepRow:
        return StepRow(
            job_id=job.id,
            position=0,
            name="extract",
            attempt=job.attempt,
            claim=job.claim,
            status=status,
            started_at=self.now,
        )

    def _begun(self) -> list[Job]:
        return [j for j in self.model.at("running") if j.shown and not j.parked and not j.stop]

    @rule(pool=st.integers(0, POOLS - 1))
    def lose_a_pool(self, pool: int) -> None:
        """Others give its jobs back; it comes back under a new number."""
        number = self.pools[pool]
        with self.store.write() as conn:
            pools.set_state(conn, number, pools.LOST)
        with self.store.write() as conn:
            orphans.take_back(conn, number, self.now)
            pools.close(conn, number, self.now)
            self.pools[pool] = self._open(conn)
        self.model.pool_lost(number)

    @precondition(lambda self: self.model.at("running"))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """What becomes of jobs that a pool holds and knows nothing of."""
        running = [job.id for job in self.model.at("running")]
        some = data.draw(st.sets(st.sampled_from(running), min_size=1, max_size=3))
        with self.store.write() as conn:
            orphans.give_back(conn, sorted(some), "not confirmed", self.now)
        self.model.given_back([self.model.jobs[job_id] for job_id in sorted(some)])

    @rule(seconds=st.integers(0, 4))
    def let_time_pass(self, seconds: int) -> None:
        self.now += seconds * SECOND
        due = [j for j in self.model.at("delayed") if (j.run_at or 0) <= self.now]
        with self.store.write() as conn:
            assert delays.promote(conn, self.now) == len(due)
        for job in due:
            job.place, job.code = "ready", Code.PENDING

    # -- what operators do -----------------------------------------------------------------

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), deed=st.sampled_from(DEEDS))
    def ask(self, data: st.DataObject, deed: str) -> None:
        job = data.draw(st.sampled_from(sorted(self.model.jobs.values(), key=lambda j: j.id)))
        has_key = not job.key or self.model.holder(job.key, self.now) in (None, job.id)
        allowed = {
            "stop": job.open,
            "kill": job.open,
            "finish": job.place == "running" and job.shown,
            "retry": job.code in (Code.FAILED, Code.STOPPED) and not job.open and has_key,
            "restart": job.code in (Code.FAILED, Code.STOPPED) and not job.open and has_key,
            "delete": self.model.deletable(job),
        }[deed]
        action: Any = getattr(asked, "retry" if deed == "restart" else deed)
        more = {"from_": "start"} if deed == "restart" else {}
        try:
            action(self.store, ANA, "because", job.id, **more)
        except WrongState:
            assert not allowed
            return
        assert allowed
        if deed in ("stop", "kill"):
            self.model.stop(job.id, deed)
        elif deed == "finish":
            self.model.stop(job.id, "kill", forced=Code.FAILED)
        elif deed in ("retry", "restart"):
            self.model.reopen(job)
            job.step_done &= deed == "retry"
            if job.key:
                known, until = self.model.keys[job.key]
                self.model.keys[job.key] = job.id, until if known == job.id else 0
        else:
            self.model.delete(job)

    @rule(name=st.sampled_from(sorted(set(FLOWS.values()))))
    def pause_or_resume(self, name: str) -> None:
        number = self.queue_ids[name]
        with self.store.write() as conn:
            if number in self.model.paused:
                assert queues.resume(conn, name)
            else:
                assert queues.pause(conn, name, by="ana", reason="", now=self.now)
        self.model.paused ^= {number}

    @rule(which=st.integers(0, 4), most=st.sampled_from((None, 1, 2)))
    def limit(self, which: int, most: int | None) -> None:
        names = [*sorted(set(FLOWS.values())), *FLOWS]
        name = names[which]
        with self.store.write() as conn:
            if which < 2:
                queues.limit(conn, name, {"max_running": most})
                number, known = self.queue_ids[name], self.model.queue_limits
            else:
                flows.edit(conn, name, {"max_running": most}, self.now)
                number, known = self.flow_ids[which - 2], self.model.flow_limits
        known.pop(number, None)
        if most is not None:
            known[number] = most

    # -- what always holds -----------------------------------------------------------------

    @invariant()
    def rows_are_as_they_should(self) -> None:
        if not self.pools:
            return
        model = self.model
        with self.store.read() as conn:
            own = {row.id: row for row in conn.execute(select(t.jobs))}
            places: dict[int, tuple[str, Any]] = {}
            for table in (t.ready, t.running, t.delayed):
                for row in conn.execute(select(table)):
                    assert row.job_id not in places, f"job {row.job_id} is in two places"
                    places[row.job_id] = (table.name, row)
            archived = Counter(conn.execute(select(t.attempts.c.job_id)).scalars())
            families = {row.job_id: row for row in conn.execute(select(t.parents))}
            unsuccessful = dict(
                tuple(row) for row in conn.execute(
                    select(t.unsuccessful.c.job_id, t.unsuccessful.c.status)
                )
            )  # fmt: skip
            c = t.counters.c
            sums = conn.execute(
                select(c.status, c.queue_id, c.flow_id, func.sum(c.n)).group_by(
                    c.status, c.queue_id, c.flow_id
                )
            )
            numbers = {tuple(row[:3]): int(row[3]) for row in sums if row[3]}
            seen = jobs.statuses(conn, list(own))
        assert set(own) == set(model.jobs)
        assert numbers == model.counters()
        assert unsuccessful == {
            j.id: int(j.code) for j in model.at("ended") if j.code != Code.COMPLETED
        }
        for job in model.jobs.values():
            place, row = places.get(job.id, ("ended", None))
            told = f"job {job.id}: {job}"
            assert place == job.place, told
            assert seen[job.id] == job.seen_as.status, told
            assert archived[job.id] == job.archived, told
            if row is None:
                _check_ended(job, own[job.id], told)
            else:
                _check_open(job, row, own[job.id], told)
            if job.total:
                family = families[job.id]
                assert family.total == job.total, told
                assert [family.completed, family.failed, family.stopped] == [
                    job.ended[code] for code in FINAL
                ], told


def _check_open(job: Job, row: Any, own: Any, told: str) -> None:
    assert own.status == Code.OPEN, told
    assert row.rank == -job.priority, told
    assert (row.attempt, row.losses, row.claim) == (job.attempt, job.losses, job.claim), told
    if job.place == "running":
        assert (row.pool_id, row.begun_at is not None) == (job.pool, job.shown), told
        assert (row.stop_kind or "") == job.stop, told
    elif job.place == "delayed":
        assert row.run_at == job.run_at, told


def _check_ended(job: Job, own: Any, told: str) -> None:
    assert own.status == int(job.code), told
    assert own.attempt == job.begun, told
    assert (own.started_at is not None) == job.ended_begun, told
