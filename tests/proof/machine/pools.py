"""Pools claim, begin, report, fan out, and are lost; time passes."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from jobdeck.domain.clock import SECOND
from jobdeck.domain.retry import MAX_LOSSES
from jobdeck.domain.states import Code
from jobdeck.store import claims, delays, orphans, parents, pools, steps
from jobdeck.store import outcomes as ended
from jobdeck.store.limits import allowance
from jobdeck.store.steps import StepRow
from tests.proof.machine.model import Job, Key
from tests.proof.machine.stand import POOLS, Stand

FATES = ("completed", "completed", "failed", "retrying", "stopped", "lost", "back", "parked")
FINAL = (Code.COMPLETED, Code.FAILED, Code.STOPPED)
TIMES = (0, 1, 2, 3, 4, 4, 45, 70, 200, 25_000, 90_000)


class Handed(NamedTuple):
    """A hand-out as its pool remembers it, also long after others took the job away."""

    row: claims.Claimed
    pool: int

    @property
    def key(self) -> Key:
        return self.row.job_id, self.row.claim


class Pools(Stand):
    def __init__(self) -> None:
        super().__init__()
        self.handed: list[Handed] = []

    @rule(pool=st.integers(0, POOLS - 1), limit=st.integers(1, 5), begins=st.booleans())
    def claim(self, pool: int, limit: int, begins: bool) -> None:
        queues = set(self.queue_ids.values()) - self.model.paused
        open_lanes = [(queue, flow) for flow in self.flow_ids for queue in queues]
        expected = self.model.order(limit, queues)
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
        if begins:
            self._begin([handed for handed in self.handed if handed.row in taken])

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self._begin(self.some_handed(data, 3))

    def some_handed(self, data: st.DataObject, most: int) -> list[Handed]:
        """Some hand-outs, mostly of those that hold, else of jobs that another pool runs now."""
        running = {job.id for job in self.model.at("running")}
        held = [handed for handed in self.handed if self.model.holds(handed.key)]
        late = [h for h in self.handed if h.row.job_id in running and h not in held]
        among = held
        if data.draw(st.sampled_from((False, False, False, True))):
            among = late
        return data.draw(st.lists(st.sampled_from(among or self.handed), min_size=1, max_size=most))

    def _begin(self, some: list[Handed]) -> None:
        rows = [
            claims.Begun(*h.key, 1, self.now, h.row.queue_id, h.row.flow_id)
            for h in {h.key: h for h in some}.values()
        ]
        with self.store.write() as conn:
            claims.begin(conn, rows)
        for row in rows:
            job = self.model.jobs.get(row.job_id)
            if job and self.model.holds((row.job_id, row.claim)) and not job.shown:
                self.model.begun(job, self.now)

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        """Ends of claims, also of those that hold no more: they change nothing."""
        self.end(data, self.some_handed(data, 4))

    def end(self, data: st.DataObject, some: list[Handed]) -> None:
        """Report the ends of these claims, each its own."""
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
        self.spread(job, flow, start, many, fails_when, waits)

    def spread(
        self, job: Job, flow: int, start: int, many: int, fails_when: str, waits: bool
    ) -> None:
        """The job makes so many children of that flow, and waits for them or not yet."""
        new = [self.job_of(flow, parent_id=job.id) for _ in range(many)]
        with self.store.write() as conn:
            steps.save(conn, [self._step(job, "running")])
            ids = parents.add_children(conn, job.id, "extract", start, new, self.now, fails_when)
        job.told, job.step_done = job.attempt, False
        missing = [i for i in range(start, start + many) if i not in job.children]
        assert len(ids) == len(missing)
        for index, job_id in zip(missing, ids, strict=True):
            self.note(job_id, new[0])
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
        """Of those that workers run."""
        return [
            j
            for j in self.model.at("running")
            if j.shown and not (j.parked or j.stop or j.flow == self.own_flow)
        ]

    @rule(pool=st.integers(0, POOLS))
    def lose_a_pool(self, pool: int) -> None:
        """Others give its jobs back; it comes back under a new number. The last one is that of
        Jobdeck's own work."""
        own = pool == POOLS
        number = self.maintenance if own else self.pools[pool]
        with self.store.write() as conn:
            pools.set_state(conn, number, pools.LOST)
        with self.store.write() as conn:
            orphans.take_back(conn, number, self.now)
            pools.close(conn, number, self.now)
            new = self.open_pool(conn, builtin=own)
        if own:
            self.maintenance = new
        else:
            self.pools[pool] = new
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

    @rule(pool=st.integers(0, POOLS - 1))
    def beat(self, pool: int) -> None:
        """It tells that it lives."""
        with self.store.write() as conn:
            for number in (self.pools[pool], self.maintenance):
                assert pools.beat(conn, number, self.now)
                self.model.beats[number] = self.now

    @rule(seconds=st.sampled_from(TIMES), noticed=st.booleans())
    def let_time_pass(self, seconds: int, noticed: bool) -> None:
        self.now += seconds * SECOND
        if not (noticed or seconds <= 4):
            return
        due = [j for j in self.model.at("delayed") if (j.run_at or 0) <= self.now]
        with self.store.write() as conn:
            assert delays.promote(conn, self.now) == len(due)
        for job in due:
            job.place, job.code = "ready", Code.PENDING
