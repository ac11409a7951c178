"""What is wrong is told with its cause, and nothing is where nothing is wrong."""

from __future__ import annotations

from typing import Any

from jobdeck.domain.clock import SECOND
from jobdeck.domain.liveness import Verdict
from jobdeck.domain.records import Pool, Queue, Schedule
from jobdeck.domain.states import Status
from jobdeck.web import troubles

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


def pool(**values: Any) -> Pool:
    """One that lives, unless told otherwise."""
    given = {"heartbeat_at": NOW - SECOND, "state": "running", **values}
    return Pool(id=3, host="build-7", pid=1, started_at=0, concurrency=2, **given)


def schedule(number: int = 1, **values: Any) -> Schedule:
    """One that is due in an hour, unless told otherwise."""
    given = {"next_at": NOW + HOUR, **values}
    return Schedule(id=number, flow="mail", cron="* * * * *", created_at=0, updated_at=0, **given)


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    queues = [Queue(id=1, name="mail", pending=5, latency_s=60.0), Queue(id=2, name="etl")]
    assert troubles.of_queues(queues, [pool()], NOW) == []
    assert troubles.of_pools([pool(), pool(state="draining")], NOW) == []
    assert troubles.of_schedules([schedule(), schedule(next_at=None)], NOW) == []
    assert troubles.of_jobs([]) == []
    assert troubles.long_waits(queues) == []


def test_queues_in_which_jobs_wait_for_nothing() -> None:
    paused = Queue(id=1, name="mail", pending=2, paused_at=1, paused_by="ana", paused_reason="no")
    waiting = Queue(id=2, name="etl", pending=1)
    unserved, held = troubles.of_queues([paused, waiting], [pool(queues=["mail"])], NOW)
    assert (held.title, held.text) == ("Queue mail is paused", "by ana: no, holds 2 jobs")
    assert (held.address, held.query) == ("/queues", {"q": "mail"})
    assert unserved.text == "1 job waits, and no pool takes this queue"
    silent = pool(heartbeat_at=NOW - HOUR)
    (nobody,) = troubles.of_queues([waiting], [silent], NOW)
    assert (nobody.text, nobody.address) == ("1 job waits in etl", "/workers")
    more = Queue(id=4, name="ml", pending=2)
    many, still_held = troubles.of_queues(
        [paused, waiting, more], [pool(builtin=True, queues=["BULK"])], NOW
    )
    assert (many.title, many.text) == ("No worker pool is running", "3 jobs wait in 2 queues")
    assert still_held == held
    scheduler = Queue(id=3, name="SCHEDULER", builtin=True, paused_at=1, paused_by="ana")
    (told,) = troubles.of_queues([scheduler], [], NOW)
    assert (told.title, told.address) == ("No schedule fires", "/schedules")


def test_long_waits_the_longest_first() -> None:
    found = [
        Queue(id=n, name=f"q{n}", pending=pending, latency_s=3600.0 * hours)
        for n, pending, hours in ((1, 1, 25), (2, 1, 23), (3, 1, 70), (4, 0, 90))
    ]
    assert [queue.name for queue in troubles.long_waits(found)] == ["q3", "q1"]


def test_lost_pools_and_late_schedules() -> None:
    (lost,) = troubles.of_pools([pool(heartbeat_at=NOW - HOUR, busy=2)], NOW)
    assert lost.text == "it was last heard of 1 h 00 min 00 s ago; it ran 2 jobs"
    assert lost.query == {"pool": 3}
    late = [schedule(1, next_at=NOW - HOUR), schedule(2, next_at=NOW - 2 * HOUR), schedule(3)]
    (many,) = troubles.of_schedules(late, NOW)
    assert many.title == "2 schedules have not fired"
    assert many.text.startswith("the first was due 2 h 00 min 00 s ago")
    (one,) = troubles.of_schedules(late[:1], NOW)
    assert one.title == "Schedule 1 of mail has not fired"
    assert troubles.of_schedules([schedule(next_at=NOW - 30 * SECOND)], NOW) == []


def test_stuck_jobs_are_told_one_by_one_while_they_are_few() -> None:
    def verdict(job: int, kind: str = "orphaned") -> Verdict:
        return Verdict(
            job=job,
            flow="mail",
            queue="mail",
            status=Status.RUNNING,
            kind=kind,
            stuck=True,
            why="Its pool 3 has ended.",
            since=0,
        )

    assert troubles.of_jobs([verdict(1, "no_pool")]) == []
    (one,) = troubles.of_jobs([verdict(7)])
    assert (one.title, one.address) == ("Job 7 of mail is stuck", "/jobs/7")
    told = troubles.of_jobs([verdict(n) for n in range(12)])
    assert len(told) == troubles.STUCK_SHOWN + 1
    assert told[-1].title == f"{12 - troubles.STUCK_SHOWN} more jobs are stuck"
