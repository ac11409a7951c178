"""Schedules create jobs when their time comes, by their rules; time is what the test says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import SECOND, Micros, from_iso
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job, Schedule
from jobdeck.domain.states import Reason, Status
from jobdeck.engine.scheduler import Scheduler
from jobdeck.engine.steady import SteadyClock
from jobdeck.store import counters, events, jobs, pipelines, queues, schedules, stops
from jobdeck.store.claims import claim
from jobdeck.store.database import Store
from tests.integration.hands import manifest

NOW = from_iso("2026-11-20T12:00:00Z")
MINUTE = 60 * SECOND


class Deck:
    """A store with a schedule and the scheduler of a leader."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.leader = Scheduler(store)
        with store.write() as conn:
            pipelines.register(conn, manifest(), NOW, publish=True)

    def schedule(self, **rule: Any) -> int:
        rule = {"interval_s": 60.0, "params": {"city": "Ede"}, **rule}
        with self.store.write() as conn:
            return schedules.create(conn, flow="weather", now=NOW, **rule).id

    def fire(self, minutes: float) -> int:
        """Let the leader look, so many minutes after the start."""
        return self.leader.fire_due(NOW + round(minutes * MINUTE))

    def pause(self, number: int, at: float) -> None:
        with self.store.write() as conn:
            schedules.pause(conn, number, by="ana", reason="", now=NOW + round(at * MINUTE))

    def resume(self, number: int, at: float) -> None:
        with self.store.write() as conn:
            schedules.resume(conn, number, NOW + round(at * MINUTE))

    def pause_all(self) -> None:
        with self.store.write() as conn:
            queues.pause(conn, SCHEDULER, by="ana", reason="", now=NOW)

    def resume_all(self) -> None:
        with self.store.write() as conn:
            queues.resume(conn, SCHEDULER)

    def jobs(self) -> list[Job]:
        with self.store.read() as conn:
            return jobs.find(conn, JobFilter(), sort=["id"], now=NOW).items

    def end_all(self) -> None:
        with self.store.write() as conn:
            ids = [job.id for job in self.jobs() if not job.status.final]
            stops.stop_waiting(conn, ids, reason=Reason.STOPPED, message="", now=NOW)

    def get(self, number: int) -> Schedule:
        with self.store.read() as conn:
            return schedules.get(conn, number)

    def ticks(self) -> list[float]:
        """The ticks that created a job, in minutes."""
        with self.store.read() as conn:
            rows = conn.exec_driver_sql(
                "SELECT fire_at FROM fires WHERE job_id IS NOT NULL ORDER BY fire_at"
            ).scalars()
            return [(at - NOW) / MINUTE for at in rows]


@pytest.fixture
def deck(store: Store) -> Deck:
    return Deck(store)


def test_a_due_schedule_creates_its_job(deck: Deck) -> None:
    number = deck.schedule()
    assert deck.fire(0.9) == 0
    assert deck.fire(1) == 1
    assert deck.fire(1.1) == 0
    (job,) = deck.jobs()
    assert (job.schedule, job.source, job.created_by) == (number, "schedule", f"schedule {number}")
    assert (job.status, job.params, job.queue) == (Status.PENDING, {"city": "Ede"}, "etl")
    found = deck.get(number)
    assert (found.last_job, found.last_at) == (job.id, NOW + MINUTE)
    assert found.last_status is Status.PENDING
    assert found.next_at == deck.leader.next_due() == NOW + 2 * MINUTE


def test_two_leaders_fire_a_tick_once(deck: Deck) -> None:
    for _ in range(3):
        deck.schedule()
    others = [deck.leader, Scheduler(deck.store), Scheduler(deck.store), Scheduler(deck.store)]
    with ThreadPoolExecutor(4) as threads:
        done = threads.map(lambda leader: leader.fire_due(NOW + MINUTE), others)
        assert sum(done) == 3
    assert len(deck.jobs()) == 3


def test_a_tick_fires_once_even_if_its_schedule_is_set_back(deck: Deck) -> None:
    number = deck.schedule()
    assert deck.fire(1) == 1
    with deck.store.write() as conn:
        schedules.advance(conn, number, NOW + MINUTE)
    assert deck.fire(1) == 0
    assert deck.get(number).next_at == NOW + 2 * MINUTE


def test_a_clock_that_was_hours_ahead_silences_no_schedule(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = deck.schedule()
    assert deck.fire(1) == 1
    assert deck.fire(180) == 1
    with monkeypatch.context() as back:
        back.setattr(SteadyClock, "moved", lambda _: -179 * MINUTE)
        assert deck.fire(2) == 0
    assert deck.get(number).next_at == NOW + 3 * MINUTE
    assert [deck.fire(minutes) for minutes in (3, 4, 179, 180, 181)] == [1, 1, 1, 0, 1]
    deck.fire(240)
    assert Scheduler(deck.store).fire_due(NOW + 182 * MINUTE) == 0
    assert deck.fire(183) == 1


MISFIRES: list[tuple[str, list[float]]] = [
    ("skip", []),
    ("once", [5]),
    ("all", [2, 3, 4, 5]),
]


@pytest.mark.parametrize(("misfire", "made_up"), MISFIRES)
@pytest.mark.parametrize("how", ["nobody led", "paused", "all paused"])
def test_ticks_that_nobody_fired(deck: Deck, misfire: str, made_up: list[float], how: str) -> None:
    number = deck.schedule(misfire=misfire)
    deck.fire(1)
    if how == "paused":
        deck.pause(number, 1.5)
    elif how == "all paused":
        deck.pause_all()
    if how != "nobody led":
        for minute in (2, 3, 4, 5.6):
            assert deck.fire(minute) == 0
        assert deck.leader.next_due() is None
    if how == "paused":
        deck.resume(number, 5.7)
    elif how == "all paused":
        deck.resume_all()
    assert deck.fire(5.8) == len(made_up)
    assert deck.ticks() == [1, *made_up]
    assert deck.get(number).next_at == NOW + 6 * MINUTE
    assert deck.fire(6) == 1


def test_a_tick_within_a_pause_is_missed_however_short_it_was(deck: Deck) -> None:
    number = deck.schedule(misfire="skip")
    deck.pause(number, 0.9)
    deck.resume(number, 1.1)
    assert deck.fire(1.2) == 0
    deck.fire(1.3)
    deck.pause_all()
    deck.fire(2.05)
    deck.resume_all()
    assert deck.fire(2.1) == 0


def test_very_many_missed_ticks_are_bounded_and_told(deck: Deck) -> None:
    number = deck.schedule(interval_s=1.0, misfire="all")
    assert deck.fire(60) == 100
    assert deck.get(number).next_at == NOW + 60 * MINUTE + SECOND
    with deck.store.read() as conn:
        told = [e for e in events.of_job(conn, jobs.get(conn, 1)) if e.kind == "ticks_missed"]
    assert "2026-11-20T12:00:01" in told[0].message


def test_ticks_overlap_unless_forbidden(deck: Deck) -> None:
    deck.schedule()
    assert [deck.fire(minute) for minute in (1, 2, 3)] == [1, 1, 1]


def test_overlap_skip_creates_no_job_beside_an_open_one(deck: Deck) -> None:
    number = deck.schedule(overlap="skip")
    assert [deck.fire(minute) for minute in (1, 2, 3)] == [1, 0, 0]
    deck.end_all()
    assert deck.fire(3.5) == 0
    assert deck.fire(4) == 1
    assert deck.ticks() == [1, 4]
    assert deck.get(number).waiting_at is None


def test_overlap_counts_a_running_job(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    deck.schedule(overlap="skip")
    deck.fire(1)
    with deck.store.write() as conn:
        flow = deck.jobs()[0]
        lane = (queues.ids(conn)[flow.queue], 1)
        assert claim(conn, [lane], 1, 1, NOW)
    monkeypatch.setattr(schedules, "LOOK_BACK", 0)
    assert deck.fire(2) == 0


def test_overlap_queue_lets_one_tick_wait(deck: Deck) -> None:
    number = deck.schedule(overlap="queue")
    assert [deck.fire(minute) for minute in (1, 2, 3, 3.5)] == [1, 0, 0, 0]
    assert deck.get(number).waiting_at == NOW + 3 * MINUTE
    deck.end_all()
    assert deck.fire(3.6) == 1
    assert deck.fire(3.7) == 0
    assert deck.ticks() == [1, 3]
    assert (deck.get(number).waiting_at, deck.get(number).next_at) == (None, NOW + 4 * MINUTE)
    assert deck.fire(4) == 0
    deck.pause(number, 4.1)
    deck.end_all()
    assert deck.fire(4.2) == 0
    deck.resume(number, 4.3)
    assert deck.fire(4.4) == 1
    assert deck.ticks() == [1, 3, 4]


def test_overlap_holds_for_ticks_that_are_made_up_for(deck: Deck) -> None:
    deck.schedule(overlap="queue", misfire="all")
    assert deck.fire(5) == 1
    assert deck.ticks() == [1]
    deck.end_all()
    assert deck.fire(5.5) == 1
    assert deck.ticks() == [1, 5]


def test_a_schedule_begins_and_ends(deck: Deck) -> None:
    number = deck.schedule(start_at=NOW + 3 * MINUTE, end_at=NOW + 4 * MINUTE)
    assert [deck.fire(minute) for minute in (1, 2, 3, 4, 5, 6)] == [0, 0, 1, 1, 0, 0]
    assert deck.get(number).next_at is None
    assert deck.leader.next_due() is None


def test_jitter_delays_the_job_and_not_the_tick(deck: Deck) -> None:
    number = deck.schedule(jitter_s=50.0)
    for minute in range(1, 6):
        assert deck.fire(minute) == 1
    delays = []
    for n, job in enumerate(deck.jobs(), start=1):
        assert job.run_at is not None
        assert job.status is Status.SCHEDULED
        delays.append(job.run_at - NOW - n * MINUTE)
    assert all(0 < delay < 50 * SECOND for delay in delays)
    assert len(set(delays)) == 5
    assert deck.get(number).last_at == NOW + 5 * MINUTE


@pytest.mark.parametrize(
    ("begin", "ticks"),
    [
        ("2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ],
)
def test_clock_changes(deck: Deck, begin: str, ticks: list[str]) -> None:
    start = from_iso(begin)
    with deck.store.write() as conn:
        rule: dict[str, Any] = {
            "cron": "30 2 * * *",
            "timezone": "Europe/Amsterdam",
            "params": {"city": "Ede"},
        }
        schedules.create(conn, flow="weather", now=start, **rule)
    fired: list[Micros] = []
    for at in range(start, start + 40 * 60 * MINUTE, 30 * MINUTE):
        fired += [at] * deck.leader.fire_due(at)
    assert fired == [from_iso(tick) for tick in ticks]


def test_parameters_that_no_longer_fit_are_seen_as_a_failed_job(deck: Deck) -> None:
    number = deck.schedule(params={})
    assert deck.fire(1) == 1
    (job,) = deck.jobs()
    assert (job.status, job.reason, job.schedule) == (
        Status.FAILED,
        Reason.INVALID_CONFIG,
        number,
    )
    assert "params.city: is required" in job.message
    assert job.finished_at == job.created_at == NOW + MINUTE
    assert (job.attempt, job.started_at) == (0, None)
    with deck.store.read() as conn:
        totals = counters.totals(conn)
        assert [e.kind for e in events.of_job(conn, job)] == ["created", "failed"]
        assert jobs.find(conn, JobFilter(status=(Status.FAILED,)), now=NOW).items == [job]
    assert {status: n for status, n in totals.items() if n} == {Status.FAILED: 1}
    assert deck.get(number).last_status is Status.FAILED


def test_an_unpublished_pipeline_is_seen_as_a_failed_job(deck: Deck) -> None:
    deck.schedule()
    with deck.store.write() as conn:
        pipelines.unpublish(conn, "weather", NOW)
    assert deck.fire(1) == 1
    (job,) = deck.jobs()
    assert (job.status, job.reason) == (Status.FAILED, Reason.NOT_PUBLISHED)
    assert "jobdeck pipelines publish weather" in job.message
