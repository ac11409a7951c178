"""The sentences that answer why a job is where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.facts import Facts, Family, Limit, Line, Pause, Stop
from jobdeck.domain.rates import Rate
from jobdeck.domain.records import Job, JobError, Pool, Progress
from jobdeck.domain.serving import Need
from jobdeck.domain.states import Reason, Status
from jobdeck.domain.why import CODES, Why, at_time, roughly, why

NOW = clock.from_iso("2026-11-20T14:30:00Z")
NEED = Need(queue="etl", pipeline="load", version=3, fingerprint="f3")
ERROR = JobError(type="ValueError", message="no rows", step="extract")


def at(text: str) -> int:
    return clock.from_iso(f"2026-11-20T{text}Z")


def pool(number: int = 1, **more: Any) -> Pool:
    values: dict[str, Any] = {
        "id": number,
        "host": "host",
        "pid": 1,
        "started_at": NOW,
        "heartbeat_at": NOW,
        "concurrency": 2,
        "state": "running",
        "loaded": {"load": "f3"},
        **more,
    }
    return Pool(**values)


def job(status: Status, **more: Any) -> Job:
    values = {"id": 7, "pipeline": "load", "flow": "load-nl", "queue": "etl", "created_at": NOW}
    return Job(status=status, **{**values, **more})


def ask(status: Status, job_: dict[str, Any] | None = None, **more: Any) -> Why:
    values: dict[str, Any] = {"pools": [pool()], "need": NEED, **more}
    return why(Facts(now=NOW, job=job(status, **(job_ or {})), **values))


ENDED: list[tuple[Status, dict[str, Any], Stop | None, str]] = [
    (Status.COMPLETED, {}, None, "It completed at 14:02 UTC."),
    (
        Status.COMPLETED,
        {"reason": Reason.NO_ITEMS},
        None,
        "It completed at 14:02 UTC; it ran and found nothing new.",
    ),
    (
        Status.COMPLETED,
        {"reason": Reason.SKIPPED, "message": "Sunday."},
        None,
        "It completed at 14:02 UTC; it declined to run, on purpose: Sunday.",
    ),
    (
        Status.FAILED,
        {"reason": Reason.ERROR, "error": ERROR, "attempt": 4},
        None,
        "It failed at 14:02 UTC in its step extract, in attempt 4: ValueError: no rows.",
    ),
    (
        Status.FAILED,
        {"reason": Reason.TIMEOUT, "message": "ran longer than its 5 min 00 s"},
        None,
        "It failed at 14:02 UTC: ran longer than its 5 min 00 s.",
    ),
    (
        Status.FAILED,
        {"reason": Reason.FORCED},
        None,
        "It failed at 14:02 UTC: somebody ended it by force.",
    ),
    (
        Status.STOPPED,
        {"reason": Reason.STOPPED, "message": "stopped by ana: wrong month"},
        None,
        "It was stopped at 14:02 UTC by ana: wrong month.",
    ),
    (
        Status.STOPPED,
        {"reason": Reason.STOPPED, "message": "wrong month"},
        Stop(kind="stop", by="ana", reason="wrong month"),
        "It was stopped at 14:02 UTC by ana: wrong month.",
    ),
    (
        Status.STOPPED,
        {"reason": Reason.KILLED, "message": "killed by eve"},
        None,
        "It was killed at 14:02 UTC by eve.",
    ),
    (
        Status.STOPPED,
        {"reason": Reason.PARENT_STOPPED, "parent": 3, "message": "stopped by ana"},
        None,
        "It was stopped with its parent, job 3, at 14:02 UTC by ana.",
    ),
    (
        Status.STOPPED,
        {"reason": Reason.STOPPED, "message": "Queue etl was stopped by ana."},
        None,
        "It was stopped at 14:02 UTC: Queue etl was stopped by ana.",
    ),
]


@pytest.mark.parametrize(("status", "more", "stop", "sentence"), ENDED)
def test_ended(status: Status, more: dict[str, Any], stop: Stop | None, sentence: str) -> None:
    answer = ask(status, {"finished_at": at("14:02"), **more}, stop=stop, pools=[])
    assert (answer.code, answer.sentence) == (status.value, sentence)


RUNS = {"started_at": at("14:26:55"), "pool": 1, "worker": 4}


def test_running_says_since_when_where_and_how_far() -> None:
    answer = ask(Status.RUNNING, RUNS)
    assert answer.sentence == "It has been running for 3 min 05 s in worker 4 of pool 1."
    progress = Progress(done=25, total=100, note="page 25")
    answer = ask(Status.RUNNING, {**RUNS, "progress": progress})
    assert answer.sentence.endswith(", 25% done: page 25; about 9 min left.")
    assert answer.estimate_s == 555
    answer = ask(Status.RUNNING, {**RUNS, "progress": Progress(done=1200)}, typical_s=200.0)
    assert answer.sentence.endswith(", 1,200 done; about 15 s left.")
    assert answer.code == "running"


def test_running_longer_than_usual_has_no_estimate() -> None:
    assert ask(Status.RUNNING, RUNS, typical_s=20.0).estimate_s is None


def test_stopping_says_who_asked() -> None:
    stop = Stop(kind="stop", by="ana", reason="wrong month.", at=at("14:29:55"))
    answer = ask(Status.RUNNING, RUNS, stop=stop)
    assert answer.code == "stopping"
    assert answer.sentence == (
        "ana asked at 14:29:55 UTC to stop it: wrong month; it is killed unless it ends by itself "
        "within the grace time."
    )
    answer = ask(Status.RUNNING, RUNS, stop=Stop(kind="kill", by="eve"))
    assert answer.sentence == "eve asked to kill it; its process is being killed."


@pytest.mark.parametrize(
    ("pools", "told"),
    [
        ([], "which has ended"),
        ([pool(heartbeat_at=at("14:20"))], "which was heard of last 10 min 00 s ago"),
        ([pool(state="lost")], "which was heard of last 0 ms ago"),
    ],
)
def test_running_in_a_pool_that_is_gone(pools: list[Pool], told: str) -> None:
    answer = ask(Status.RUNNING, RUNS, pools=pools)
    assert answer.code == "pool_lost"
    assert f"It ran in pool 1, {told}; it goes back" in answer.sentence
    assert "recover" in answer.advice


def test_waiting_for_children() -> None:
    family = Family(total=1200, completed=999, failed=1, stopped=0)
    answer = ask(Status.RUNNING, parked=True, family=family)
    assert answer.code == "waits_for_children"
    assert answer.sentence == (
        "It waits for its children: 1,000 of 1,200 have ended (1 failed), 200 have not."
    )
    done = Family(total=2, completed=2, failed=0, stopped=0)
    answer = ask(Status.RUNNING, parked=True, family=done)
    assert (answer.code, answer.advice) == ("not_woken", "jobdeck jobs recover")


def test_scheduled_and_retrying_say_until_when() -> None:
    answer = ask(Status.SCHEDULED, {"run_at": at("14:42")})
    assert answer.sentence == "It waits for its time, 14:42 UTC, in 12 min 00 s."
    assert (answer.code, answer.estimate_s) == ("scheduled", 720)
    answer = ask(Status.SCHEDULED, {"run_at": clock.from_iso("2026-11-21T06:00Z")})
    assert "2026-11-21 06:00 UTC, in 15 h 30 min 00 s" in answer.sentence
    answer = ask(Status.RETRYING, {"run_at": NOW + 12 * SECOND, "attempt": 2, "error": ERROR})
    assert answer.code == "retrying"
    assert answer.sentence == (
        "Attempt 2 failed: ValueError: no rows; it is tried again at 14:30:12 UTC, in 12 s."
    )


def test_overdue_tells_whether_anybody_could_notice() -> None:
    answer = ask(Status.SCHEDULED, {"run_at": at("14:20")})
    assert answer.code == "overdue"
    assert answer.sentence == "Its time, 14:20 UTC, has come, but no pool has noticed."
    assert "recover" in answer.advice
    assert "worker" in ask(Status.SCHEDULED, {"run_at": at("14:20")}, pools=[]).advice
    assert ask(Status.SCHEDULED, {"run_at": NOW - SECOND}).code == "scheduled"


UNTAKEN: list[tuple[list[Pool], Need, str, str]] = [
    ([], NEED, "no_pool", "No pool is alive, so nothing runs jobs."),
    (
        [pool(heartbeat_at=at("14:20")), pool(2, state="lost")],
        NEED,
        "no_pool",
        "No pool is alive, so nothing runs jobs.",
    ),
    (
        [pool(state="draining")],
        NEED,
        "pools_draining",
        "Every live pool is draining and takes no more jobs.",
    ),
    (
        [pool(queues=["mail", "slow"])],
        NEED,
        "queue_not_served",
        "No live pool takes the queue etl (pool 1 takes mail, slow).",
    ),
    (
        [pool(loaded={}), pool(2, queues=["mail"])],
        NEED,
        "pool_starting",
        "No worker of pool 1 has loaded its code yet.",
    ),
    (
        [pool(loaded={"load": "f2"}), pool(2, loaded={"load": "f1"})],
        NEED,
        "other_version",
        "No live pool has loaded version 3 of its pipeline load; pools 1, 2 loaded another one.",
    ),
    (
        [pool(loaded={"mail": "m"})],
        NEED,
        "not_loaded",
        "No live pool has loaded version 3 of its pipeline load.",
    ),
    (
        [pool(), pool(2, builtin=True, queues=["BULK"], loaded={"jobdeck.bulk": "old"})],
        Need(queue="BULK", pipeline="jobdeck.bulk", version=1, fingerprint="b"),
        "no_maintenance",
        "It is Jobdeck's own work, and no maintenance process is alive to do it.",
    ),
    (
        [pool(builtin=True, queues=["BULK"])],
        NEED,
        "no_pool",
        "No pool is alive, so nothing runs jobs.",
    ),
    (
        [pool()],
        Need(queue="etl", pipeline="load"),
        "not_published",
        "No version of its pipeline load is published.",
    ),
]


@pytest.mark.parametrize(("pools", "need", "code", "sentence"), UNTAKEN)
def test_pending_where_no_pool_takes_it(
    pools: list[Pool], need: Need, code: str, sentence: str
) -> None:
    answer = ask(Status.PENDING, pools=pools, need=need)
    assert (answer.code, answer.sentence) == (code, sentence)
    assert answer.advice
    assert answer.estimate_s is None


def test_pending_in_a_paused_queue() -> None:
    pause = Pause(at=at("14:02"), by="ana", reason="the warehouse is down")
    answer = ask(Status.PENDING, pause=pause, pools=[])
    assert answer.code == "queue_paused"
    assert answer.sentence == (
        "Its queue etl was paused by ana at 14:02 UTC: the warehouse is down."
    )
    assert answer.advice == "jobdeck queues resume etl"


def test_pending_under_a_limit() -> None:
    limit = Limit(kind="flow", name="load-nl", max_running=2, running=2)
    answer = ask(Status.PENDING, limits=[limit])
    assert answer.code == "limit_reached"
    assert answer.sentence == "Its flow load-nl runs 2 of at most 2 jobs at once."
    line = Line(ahead=3, work_s=30.0)
    answer = ask(Status.PENDING, limits=[limit], line=line, typical_s=10.0)
    assert answer.sentence.endswith("at once, and 3 jobs go before it.")
    assert answer.estimate_s == 20
    free = Limit(kind="queue", name="etl", max_running=2, running=1)
    assert ask(Status.PENDING, limits=[free]).code == "about_to_start"


def test_pending_under_a_rate() -> None:
    rate = Rate(10, 60)
    limit = Limit(kind="queue", name="etl", rate=rate, rate_empty_at=NOW + 66 * SECOND)
    answer = ask(Status.PENDING, limits=[limit], line=Line(ahead=2))
    assert answer.code == "rate_used_up"
    assert answer.sentence == (
        "Its queue etl lets 10/m start, the next one at 14:30:12 UTC, and 2 jobs go before it."
    )
    assert answer.estimate_s == 24
    assert ask(Status.PENDING, limits=[Limit(kind="queue", name="etl", rate=rate)]).code == (
        "about_to_start"
    )


def test_pending_behind_others() -> None:
    answer = ask(Status.PENDING, line=Line(ahead=812, work_s=480.0))
    assert answer.code == "behind"
    assert answer.sentence == "812 jobs go before it; it starts in about 4 min."
    assert answer.estimate_s == 240
    answer = ask(Status.PENDING, line=Line(ahead=10_000, more=True))
    assert (answer.sentence, answer.estimate_s) == ("More than 10,000 jobs go before it.", None)
    assert ask(Status.PENDING, line=Line(ahead=1)).sentence == "1 job goes before it."


def test_pending_and_next() -> None:
    answer = ask(Status.PENDING, pools=[pool(busy=2)])
    assert answer.code == "workers_busy"
    assert answer.sentence == "It is next, as soon as one of the 2 workers is free."
    answer = ask(Status.PENDING)
    assert (answer.code, answer.sentence) == ("about_to_start", "It is next and about to start.")


def test_handed_out_and_not_begun() -> None:
    answer = ask(Status.PENDING, handed_to=1, pause=Pause(at=NOW, by="ana"))
    assert answer.code == "handed_out"
    stopped = ask(Status.PENDING, handed_to=1, stop=Stop(kind="stop", by="ana"))
    assert stopped.code == "stopping"


def test_every_code_is_told_here() -> None:
    text = Path(__file__).read_text()
    assert [code for code in CODES[3:] if f'"{code}"' not in text] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (80, "about 80 s"), (240, "about 4 min"), (7200, "about 2 h"),
     (200_000, "about 2 d")],
)  # fmt: skip
def test_estimates_are_no_more_exact_than_they_can_be(seconds: float, words: str) -> None:
    assert roughly(seconds) == words


def test_times_leave_out_what_goes_without_saying() -> None:
    assert at_time(NOW + 5 * SECOND, NOW) == "14:30:05 UTC"
    assert at_time(at("09:05"), NOW) == "09:05 UTC"
    assert at_time(clock.from_iso("2026-11-19T09:05Z"), NOW) == "2026-11-19 09:05 UTC"
