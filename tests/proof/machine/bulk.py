"""Jobs of the queue BULK do the same to many, a transaction at a time, and die between."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobdeck.actions import bulk as asked
from jobdeck.domain.bulk import DONE, Order
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.engine.chore import Chore, Leaving, Lost, Stopped
from jobdeck.engine.chores import bulk as chores
from jobdeck.store import bulk, claims, steps
from jobdeck.store import outcomes as ended
from jobdeck.store.values import decode
from tests.proof.machine.model import Job
from tests.proof.machine.stand import ANA, Died, Mortal, Stand

SIZE = 3
"""So many are gathered, or changed, in a transaction."""

ORDERS = (
    Order(action="stop"),
    Order(action="kill"),
    Order(action="retry"),
    Order(action="retry", from_="start"),
    Order(action="delete"),
    Order(action="priority", priority=7),
    Order(action="move", queue="mail"),
)
FILTERS = (
    JobFilter(),
    JobFilter(status=(Status.FAILED, Status.STOPPED)),
    JobFilter(status=(Status.PENDING,)),
    JobFilter(status=(Status.RUNNING, Status.RETRYING)),
    JobFilter(flow="etl"),
    JobFilter(status=(Status.COMPLETED,)),
    JobFilter(flow="-etl", status=(Status.COMPLETED, Status.SCHEDULED, Status.PENDING)),
)


class Asked:
    """A bulk job as the model sees it."""

    def __init__(self, order: Order, wanted: JobFilter, upto: int) -> None:
        self.order, self.wanted, self.upto = order, wanted, upto
        self.items: dict[int, str] = {}
        self.memory: dict[str, Any] = {}
        self.tree: list[int] = []
        """Those whose children come next, if the process lives."""
        self.owed: set[int] = set()
        """Those whose children are still to come, whoever does it."""


class Bulk(Stand):
    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[int, Asked] = {}
        self.hand_out: claims.Claimed | None = None

    def _take(self) -> None:
        """As maintenance does, at most one at a time."""
        if any(job.flow == self.own_flow for job in self.model.at("running")):
            return
        expected = self.model.order(1, {self.own_queue})
        with self.store.write() as conn:
            taken = claims.claim(
                conn, [(self.own_queue, self.own_flow)], 1, self.maintenance, self.now
            )
            claims.begin(
                conn,
                [claims.Begun(c.job_id, c.claim, None, self.now, *c[1:3]) for c in taken],
            )
        assert [row.job_id for row in taken] == expected
        for row in taken:
            self.hand_out = row
            self.model.claimed(row.job_id, row.claim, self.maintenance)
            self.model.begun(self.model.jobs[row.job_id], self.now)

    @rule(
        order=st.sampled_from(ORDERS),
        wanted=st.sampled_from(FILTERS),
        turns=st.integers(1, 9),
        lives=st.sampled_from((0, 2, 3, 3, 99, 99)),
        back=st.booleans(),
    )
    def change_many(
        self, order: Order, wanted: JobFilter, turns: int, lives: int, back: bool
    ) -> None:
        """So many transactions of a bulk job, unless the process dies in the middle of one; then
        it goes on under the same claim, or gives the job back."""
        if self.hand_out is None or not back:
            self._ask(order, wanted)
        self._take()
        row = self.hand_out
        if row is None:
            return
        left = turns

        def ending(seconds: float) -> bool:
            nonlocal left
            if seconds:
                left -= 1
                self._committed(row.job_id)
            return left <= 0

        self.asked[row.job_id].tree = []
        store: Any = Mortal(self.store, lives)
        chore = Chore(store, row, "each", ending)
        code: Code | None = None
        sizes: Any = dict.fromkeys(("GATHER", "FIRST", "LEAST", "MOST"), SIZE)
        try:
            with patch.multiple(chores, **sizes):
                chore.recall()
                self.asked[row.job_id].memory = dict(chore.memory)
                chores.run(chore)
            code = Code.COMPLETED
        except Leaving:
            code = Code.PENDING if back else None
        except Stopped:
            code = Code.STOPPED
        except Lost:
            assert not self.model.holds((row.job_id, row.claim))
            self.hand_out = None
        except Died:
            pass
        if code is not None:
            self._end(row, code)

    def _end(self, row: claims.Claimed, code: Code) -> None:
        ending = ended.Ending(
            *row[:7],
            code=code,
            shown=True,
            began=True,
            started_at=self.now,
            finished_at=self.now,
            reason=Reason.POOL_ENDED if code == Code.PENDING else None,
            pool_id=self.maintenance,
        )
        job, told = self.model.jobs.get(row.job_id), self.asked.get(row.job_id)
        assert job is not None
        assert told is not None
        assert job.stop or code != Code.STOPPED
        if code == Code.COMPLETED:
            assert all(told.items.values())
            assert not told.owed
        with self.store.write() as conn:
            assert ended.finish(conn, [ending])
        self.hand_out = None
        if code == Code.PENDING:
            self.model.left(job, code, began=True)
        else:
            self.model.close(job, code, began=True)

    def _ask(self, order: Order, wanted: JobFilter) -> None:
        made = asked.start(self.store, ANA, "because", order, wanted=wanted, text="a filter")
        self.model.add(
            Job(made.id, self.own_flow, self.own_queue, 0, place="ready", code=Code.PENDING)
        )
        self.asked[made.id] = Asked(order, wanted, max(self.model.given - {made.id}, default=0))

    # -- what a transaction has done -------------------------------------------------------

    def _committed(self, job_id: int) -> None:
        told = self.asked[job_id]
        with self.store.read() as conn:
            found = bulk.items(conn, job_id, limit=10_000)
            kept = steps.progress_of(conn, [job_id])[job_id]
        assert kept.checkpoint is not None
        before, told.memory = told.memory, decode(kept.checkpoint.decode())["memory"]
        outcomes = {item.job: item.outcome for item in found}
        if "gathered" not in before:
            self._gathered(told, before, set(outcomes))
        elif told.tree:
            self._descended(told, before)
        else:
            self._turned(told, before["after"], outcomes)
        told.items = outcomes

    def _gathered(self, told: Asked, before: dict[str, Any], found: set[int]) -> None:
        if "gathered" in told.memory:
            assert found == set(told.items)
            return
        low, high = before.get("after") or 0, told.memory["after"]
        high = told.upto if high is None else high
        expected = {
            job.id
            for job in self.model.jobs.values()
            if low < job.id <= high and self._is_meant(job, told.wanted)
        }
        assert {each for each in found if low < each <= high} >= expected
        assert found - set(told.items) <= expected

    def _is_meant(self, job: Job, wanted: JobFilter) -> bool:
        name = self.flow_names[job.flow]
        flow = wanted.flow
        fits = not flow or (name == flow.removeprefix("-")) is not flow.startswith("-")
        return fits and (not wanted.status or job.seen_as.status in wanted.status)

    def _turned(self, told: Asked, after: int, outcomes: dict[int, str]) -> None:
        chunk = [each for each in sorted(told.items) if each > after][:SIZE]
        fresh = [each for each in chunk if not told.items[each]]
        again = [each for each in chunk if told.items[each] == DONE]
        assert [each for each in sorted(outcomes) if outcomes[each] != told.items[each]] == fresh
        done = self._change(told.order, fresh)
        assert [each for each in fresh if outcomes[each] == DONE] == done
        if told.order.action not in ("stop", "kill"):
            return
        jobs = [self.model.jobs[each] for each in done]
        if again or self.model.open_children(jobs):
            told.tree = done + again
            told.owed.update(told.tree)

    def _descended(self, told: Asked, before: dict[str, Any]) -> None:
        del before
        level = [self.model.jobs[each] for each in told.tree if each in self.model.jobs]
        told.owed.difference_update(told.tree)
        told.tree = []
        while level := self.model.open_children(level):
            self.model.stop_some(level, told.order.action)

    def _change(self, order: Order, ids: list[int]) -> list[int]:
        """What becomes of these; gives those that were changed."""
        model = self.model
        jobs = [model.jobs[each] for each in ids if each in model.jobs]
        action = order.action
        if action in ("stop", "kill"):
            done = [job for job in jobs if job.open]
            model.stop_some(done, action)
        elif action == "delete":
            done = [job for job in jobs if model.deletable(job)]
            for job in done:
                model.delete(job)
        elif action == "retry":
            done = []
            for job in jobs:
                if model.retriable(job, self.now):
                    model.reopen(job, from_start=order.from_ == "start")
                    done.append(job)
        else:
            done = [job for job in jobs if job.place in ("ready", "delayed")]
            for job in done:
                if action == "priority":
                    job.priority = order.priority
                else:
                    job.queue = self.queue_ids[order.queue]
        return [job.id for job in done]
