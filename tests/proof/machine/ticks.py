"""Schedules fire, whoever leads and dies, and are paused and resumed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from sqlalchemy import Connection, select

from jobdeck.actions import schedules as asked
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.ticks import LATE_S
from jobdeck.engine.scheduler import Scheduler
from jobdeck.store import schedules
from jobdeck.store import tables as t
from jobdeck.store.enqueue import NewJob
from tests.proof.machine.stand import ANA, FLOWS, START, Died, Mortal, Stand

RULES = {
    "mail": (60, "allow", "once"),
    "etl": (60, "skip", "skip"),
    "report": (6 * 3600, "queue", "all"),
}
"""Flow: how often it runs, in seconds, its overlap rule, and its misfire rule."""


@dataclass
class Ticking:
    """A schedule as it should stand."""

    flow: int
    step: Micros
    overlap: str
    misfire: str
    next: Micros
    waiting: Micros | None = None
    paused: bool = False
    fired: set[Micros] = field(default_factory=set)

    def after(self, now: Micros) -> Micros:
        """Its first tick after then."""
        return START + ((now - START) // self.step + 1) * self.step

    def fire(self, now: Micros, busy: bool) -> int:
        """What is due; gives how many jobs are created. `busy`: a job of it is open."""
        created = 0
        if self.waiting is not None and not busy:
            created, self.waiting, busy = 1, None, True
        if self.next > now:
            return created
        due = list(range(self.next, now + 1, self.step))
        self.next = self.after(now)
        if self.misfire == "skip" and now - due[-1] > LATE_S * SECOND:
            due = []
        elif self.misfire != "all":
            due = due[-1:]
        for tick in due:
            assert tick not in self.fired
            self.fired.add(tick)
            if self.overlap == "allow" or not busy:
                created, self.waiting, busy = created + 1, None, True
            elif self.overlap == "queue":
                self.waiting = tick
        return created


class Ticks(Stand):
    def __init__(self) -> None:
        super().__init__()
        self.ticking: dict[int, Ticking] = {}
        self.held = False

    def define_more(self, conn: Connection) -> None:
        super().define_more(conn)
        flow_of = dict(zip(FLOWS, self.flow_ids, strict=True))
        for name, (step, overlap, misfire) in RULES.items():
            made = schedules.create(
                conn, flow=name, interval_s=float(step), overlap=overlap, misfire=misfire, now=START
            )
            assert made.next_at is not None
            self.ticking[made.id] = Ticking(
                flow_of[name], step * SECOND, overlap, misfire, made.next_at
            )

    @rule(lives=st.integers(0, 3), others=st.booleans())
    def fire(self, lives: int, others: bool) -> None:
        """One leader dies in the middle of it, and another one goes on; or both are at it."""
        second = Scheduler(self.store)
        first: Any = Mortal(
            self.store, lives, (lambda: second.fire_due(self.now)) if others else None
        )
        try:
            Scheduler(first).fire_due(self.now)
        except Died:
            second.fire_due(self.now)
        expected = self._expected()
        rows = self.unknown()
        for row in rows:
            assert row.run_at is None
            self.note(row.id, self._job(row.schedule_id))
        assert Counter(row.schedule_id for row in rows) == Counter(expected)

    def _expected(self) -> dict[int, int]:
        if self.held:
            for each in self.ticking.values():
                if each.misfire == "skip" and not each.paused and each.next <= self.now:
                    each.next = each.after(self.now)
            return {}
        open_jobs = {job.schedule for job in self.model.jobs.values() if job.open}
        return {
            number: each.fire(self.now, each.overlap != "allow" and number in open_jobs)
            for number, each in self.ticking.items()
            if not each.paused
        }

    def _job(self, schedule: int) -> NewJob:
        return self.job_of(self.ticking[schedule].flow, schedule_id=schedule)

    @rule(which=st.sampled_from((None, 0, 1, 2)), on=st.booleans())
    def pause_or_resume_schedules(self, which: int | None, on: bool) -> None:
        action = asked.resume if on else asked.pause
        if which is None:
            action(self.store, ANA, "because", None)
            self.held = not on
            return
        number = list(self.ticking)[which]
        known = self.ticking[number]
        action(self.store, ANA, "because", number)
        if on and known.paused and known.misfire == "skip":
            known.next = known.after(self.now)
        known.paused = not on

    @rule(which=st.integers(0, 2))
    def run_a_schedule(self, which: int) -> None:
        number = list(self.ticking)[which]
        made = asked.run(self.store, ANA, "because", number)
        self.note(made.id, self._job(number))

    @invariant()
    def ticks_are_as_they_should(self) -> None:
        if not self.pools:
            return
        with self.store.read() as conn:
            s = t.schedules.c
            rows = conn.execute(select(s.id, s.next_at, s.waiting_at, s.paused_at))
            found = {
                row.id: (row.next_at, row.waiting_at, row.paused_at is not None) for row in rows
            }
            fires = {(r.schedule_id, r.fire_at) for r in conn.execute(select(t.fires))}
        assert found == {n: (e.next, e.waiting, e.paused) for n, e in self.ticking.items()}
        assert fires == {(n, tick) for n, each in self.ticking.items() for tick in each.fired}
