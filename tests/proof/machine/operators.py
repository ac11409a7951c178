"""Operators stop, retry, delete, pause, limit and recover."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from jobdeck.actions import jobs as asked
from jobdeck.actions.recovery import recover
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import WrongState
from jobdeck.domain.liveness import GIVE_BACK, OVERDUE_S, PROMOTE
from jobdeck.domain.serving import LIVE_S
from jobdeck.domain.states import Code
from jobdeck.engine.leftovers import Leftovers
from jobdeck.store import counters, flows, queues
from tests.proof.machine.model import Job
from tests.proof.machine.stand import ANA, FLOWS, Stand

DEEDS = ("stop", "kill", "finish", "retry", "restart", "delete")


class Operators(Stand):
    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), deed=st.sampled_from(DEEDS))
    def ask(self, data: st.DataObject, deed: str) -> None:
        model = self.model
        job = data.draw(st.sampled_from(sorted(model.jobs.values(), key=lambda j: j.id)))
        allowed = {
            "stop": job.open,
            "kill": job.open,
            "finish": job.place == "running" and job.shown,
            "retry": model.retriable(job, self.now),
            "restart": model.retriable(job, self.now),
            "delete": model.deletable(job),
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
            model.stop(job.id, deed)
        elif deed == "finish":
            model.stop(job.id, "kill", forced=Code.FAILED)
        elif deed == "delete":
            model.delete(job)
        else:
            model.reopen(job, from_start=deed == "restart")

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

    @rule(dry_run=st.booleans())
    def recover(self, dry_run: bool) -> None:
        """What is held by who has not been heard of, and what is overdue, is given back; whatever
        lives is left alone."""
        overdue = self.now - OVERDUE_S * SECOND
        lost = [job for job in self.model.at("running") if not job.parked and self._is_lost(job)]
        late = [job for job in self.model.at("delayed") if (job.run_at or 0) < overdue]
        told = recover(self.store, ANA, "because", dry_run=dry_run)
        expected = dict.fromkeys((j.id for j in lost), GIVE_BACK)
        expected |= dict.fromkeys((j.id for j in late), PROMOTE)
        assert {v.job: v.remedy for v in told.jobs if v.remedy} == expected
        done = {v.job for v in told.jobs if v.outcome == "done"}
        assert done == (set() if dry_run else set(expected))
        if not dry_run:
            self.model.given_back(lost)
            for job in late:
                job.place, job.code = "ready", Code.PENDING

    def _is_lost(self, job: Job) -> bool:
        if self.now - self.model.beats[job.pool or 0] > LIVE_S * SECOND:
            return True
        # No worker's process is there to be seen.
        silent = self.now - job.began_at > OVERDUE_S * SECOND
        return job.shown and job.flow != self.own_flow and silent

    @rule()
    def tidy_up(self) -> None:
        """Nobody sees anything of it."""
        with self.store.write() as conn:
            counters.fold(conn)
        Leftovers(self.store).tidy(self.now)
