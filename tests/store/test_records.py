"""What belongs to a job: its steps, attempts, log, calls, files and events."""

from __future__ import annotations

import msgspec
import pytest

from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.records import Counts, JobError, Step
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import (
    attempts,
    calls,
    events,
    files,
    jobs,
    logs,
    pipelines,
    steps,
    stops,
)
from jobdeck.store.claims import READY, Begun, Claimed, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.steps import StepProgress, StepRow
from tests.store.world import START, manifest

ETL = PipelineManifest(name="etl", steps=[StepManifest(name=n) for n in ("get", "map", "put")])


@pytest.fixture
def job(store: Store) -> int:
    """A pending job of three steps."""
    with store.write() as conn:
        pipelines.register(conn, ETL, START, publish=True)
        return enqueue(conn, [NewJob(flow_id=1, queue_id=1, created_by="ann")], START)[0]


def run(store: Store, at: int) -> Claimed:
    with store.write() as conn:
        [taken] = claim(conn, [(1, 1)], 1, 5, at)
        begin(conn, [Begun(taken.job_id, taken.claim, 6, at, 1, 1)])
    return taken


def end(store: Store, taken: Claimed, at: int, code: Code, **more: object) -> None:
    ending = Ending(
        **{name: getattr(taken, name) for name in READY},
        code=code,
        shown=True,
        began=True,
        started_at=at - 10,
        finished_at=at,
        pool_id=5,
        worker_id=6,
        cpu_us=500_000,
        **more,  # type: ignore[arg-type]
    )
    with store.write() as conn:
        assert finish(conn, [ending]) == [ending]


ERROR = JobError(type="ValueError", message="no \x00 good", step="map")
ERROR_TEXT = msgspec.json.encode(ERROR).decode()


def test_attempts_are_told_in_order(store: Store, job: int) -> None:
    end(store, run(store, START + 10), START + 20, Code.PENDING, reason="worker_lost", lost=True)
    end(store, run(store, START + 30), START + 40, Code.FAILED, reason="error", error=ERROR_TEXT)
    with store.write() as conn:
        assert stops.reopen(conn, job, now=START + 50)
        shown = jobs.get(conn, job)
        assert (shown.status, shown.attempt, shown.error) == (Status.PENDING, 2, None)
        told = attempts.of_job(conn, shown)
    assert [(a.attempt, a.status, a.reason) for a in told] == [
        (1, Status.PENDING, Reason.WORKER_LOST),
        (2, Status.FAILED, Reason.ERROR),
    ]
    assert (told[1].error, told[1].cpu_s, told[1].finished_at) == (ERROR, 0.5, START + 40)
    taken = run(store, START + 50)
    with store.read() as conn:
        running = attempts.of_job(conn, jobs.get(conn, job))[-1]
    assert (running.attempt, running.status) == (3, Status.RUNNING)
    assert (running.started_at, running.pool, running.worker) == (START + 50, 5, 6)
    end(store, taken, START + 60, Code.COMPLETED, result='{"n":1}')
    with store.read() as conn:
        done = jobs.get(conn, job)
        assert (done.status, done.attempt, done.result) == (Status.COMPLETED, 3, {"n": 1})
        assert [a.status for a in attempts.of_job(conn, done)][-1] == Status.COMPLETED
        assert [a.status for a in attempts.of_job(conn, done, latest=1)][-1] == Status.COMPLETED


def test_the_timeline_is_in_order(store: Store, job: int) -> None:
    taken = run(store, START + 10)
    with store.write() as conn:
        events.add(conn, job, START + 15, "pool_lost", "gone\x00", actor="jobdeck", attempt=1)
    end(store, taken, START + 20, Code.FAILED, reason="error", error=ERROR_TEXT)
    with store.read() as conn:
        told = events.of_job(conn, jobs.get(conn, job))
    assert [(e.kind, e.at - START, e.attempt) for e in told] == [
        ("created", 0, None),
        ("started", 10, 1),
        ("pool_lost", 15, 1),
        ("failed", 20, 1),
    ]
    assert (told[0].message, told[2].message) == ("by ann", "gone\ufffd")
    assert told[3].message == "error: no \x00 good"


def test_a_job_stopped_before_it_began_ends_its_timeline(store: Store, job: int) -> None:
    with store.write() as conn:
        stops.stop_waiting(conn, [job], reason=Reason.STOPPED, message="by ann", now=START + 5)
        told = events.of_job(conn, jobs.get(conn, job))
        assert attempts.of_job(conn, jobs.get(conn, job)) == []
    assert [(e.kind, e.message) for e in told][1:] == [("stopped", "stopped: by ann")]


def report(job: int, position: int, status: str, claim_: int = 1, **more: object) -> StepRow:
    name = ETL.steps[position].name
    return StepRow(
        job_id=job,
        position=position,
        name=name,
        attempt=claim_,
        claim=claim_,
        status=status,
        started_at=START + 100 * claim_ + position,
        **more,  # type: ignore[arg-type]
    )


def test_steps_are_told_with_those_to_come(store: Store, job: int) -> None:
    with store.read() as conn:
        told = steps.of_job(conn, jobs.get(conn, job), ETL)
    assert [(s.name, s.status) for s in told] == [
        ("get", Status.PENDING),
        ("map", Status.PENDING),
        ("put", Status.PENDING),
    ]
    counts = Counts(read=5, written=3, filtered=1, skipped=1, commits=2)
    done = report(job, 0, "completed", finished_at=START + 101, result=b"[1]")
    with store.write() as conn:
        steps.save(conn, [done, report(job, 1, "running", counts=counts, checkpoint=b"7")])
        told = steps.of_job(conn, jobs.get(conn, job), ETL)
        assert [s.name for s in steps.of_job(conn, jobs.get(conn, job), None)] == ["get", "map"]
    assert [s.status for s in told] == [Status.COMPLETED, Status.RUNNING, Status.PENDING]
    assert (told[0].result, told[1].counts) == ([1], counts)


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (Code.STOPPED, "killed", Status.STOPPED),
        (Code.RETRYING, "timeout", Status.FAILED),
        (Code.PENDING, "worker_lost", Status.FAILED),
    ],
)
def test_a_step_that_was_cut_off_ended_with_its_attempt(
    store: Store, job: int, code: Code, reason: str, status: Status
) -> None:
    taken = run(store, START + 10)
    with store.write() as conn:
        steps.save(conn, [report(job, 0, "running")])
        assert steps.of_job(conn, jobs.get(conn, job), ETL)[0].status == Status.RUNNING
    later = {"run_at": START + 99} if code is Code.RETRYING else {}
    end(store, taken, START + 30, code, reason=reason, **later)
    with store.read() as conn:
        [step, *to_come] = steps.of_job(conn, jobs.get(conn, job), ETL)
    assert (step.status, step.finished_at) == (status, START + 30)
    assert {each.status for each in to_come} == {Status.PENDING}


def test_the_newest_report_of_a_step_counts(store: Store, job: int) -> None:
    with store.write() as conn:
        steps.save(conn, [report(job, 0, "running", claim_=2)])
        steps.save(conn, [report(job, 0, "failed", claim_=1, error=ERROR)])
        assert steps.of_job(conn, jobs.get(conn, job), None)[0].status == Status.RUNNING
        steps.save(conn, [report(job, 0, "failed", claim_=2, error=ERROR)])
        told = steps.of_job(conn, jobs.get(conn, job), None)[0]
    assert (told.status, told.error) == (Status.FAILED, ERROR)


def test_a_job_goes_on_where_it_was(store: Store, job: int) -> None:
    counts = Counts(read=7, commits=1)
    rows = [
        report(job, 0, "completed", claim_=1, result=b'"a"'),
        report(job, 1, "failed", claim_=2, counts=counts, checkpoint=b'{"at":7}'),
    ]
    with store.write() as conn:
        steps.save(conn, rows)
        assert steps.progress_of(conn, [job, job + 1]) == {
            job: StepProgress(
                done=[(0, b'"a"')],
                checkpoint=b'{"at":7}',
                counts=counts,
                attempt=2,
                began_at=START + 201,
            )
        }


def test_the_only_step_of_a_job_is_as_the_job(store: Store) -> None:
    made = manifest("mail")
    with store.write() as conn:
        pipelines.register(conn, made, START, publish=True)
        enqueue(conn, [NewJob(flow_id=1, queue_id=1)], START)
        shown = jobs.get(conn, 1)
        assert steps.of_job(conn, shown, made) == [
            Step(position=0, name="mail", status=Status.PENDING)
        ]
        assert steps.of_job(conn, shown, None) == []
    end(store, run(store, START + 5), START + 9, Code.COMPLETED, result="3")
    with store.read() as conn:
        [only] = steps.of_job(conn, jobs.get(conn, 1), made)
    assert (only.status, only.result, only.finished_at) == (Status.COMPLETED, 3, START + 9)


def line(job: int, seq: int, message: str = "x", attempt: int = 1, level: str = "info") -> tuple:  # type: ignore[type-arg]
    return (job, attempt, seq, START + seq, level, "log", "get", message, None)


def test_a_line_that_arrives_twice_is_one(store: Store, job: int) -> None:
    rows = [line(job, seq) for seq in range(5)]
    with store.write() as conn:
        logs.append(conn, rows)
        logs.append(conn, [*rows[2:], line(job, 5), line(job, 0, attempt=2)])
        told = logs.of_job(conn, job).lines
        assert logs.of_job(conn, job + 1).lines == []
    assert [(row.attempt, row.at - START) for row in told] == [
        *((1, seq) for seq in range(6)),
        (2, 0),
    ]


def test_logs_are_filtered_and_paged(store: Store, job: int) -> None:
    levels = ("debug", "info", "warning", "error", "critical")
    rows = [
        (*line(job, seq, f"row {seq} of 100%", level=levels[seq % 5])[:-1], '{"n":1}')
        for seq in range(50)
    ]
    with store.write() as conn:
        logs.append(conn, rows)
    with store.read() as conn:
        first = logs.of_job(conn, job, limit=20).lines
        rest = logs.of_job(conn, job, after=first[-1].id, limit=100).lines
        assert [row.at - START for row in first + rest] == list(range(50))
        newest = logs.of_job(conn, job, newest_first=True, limit=3).lines
        older = logs.of_job(conn, job, newest_first=True, after=newest[-1].id, limit=1).lines
        assert [row.at - START for row in newest + older] == [49, 48, 47, 46]
        assert {row.level for row in logs.of_job(conn, job, level="error").lines} == {
            "error",
            "critical",
        }
        assert len(logs.of_job(conn, job, q="ROW 4").lines) == 11
        assert len(logs.of_job(conn, job, q="100%").lines) == 50
        assert logs.of_job(conn, job, q="1_0%").lines == []
        assert logs.of_job(conn, job, attempt=2).lines == []
        assert first[0].fields == {"n": 1}
        with pytest.raises(InvalidValue, match="level: 'loud' is none of debug"):
            logs.of_job(conn, job, level="loud")


def test_a_search_in_a_log_goes_on_where_it_stopped(
    store: Store, job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROWS_MAX", 20)
    rows = [line(job, seq, "found" if seq in (3, 44) else "other") for seq in range(50)]
    with store.write() as conn:
        logs.append(conn, rows)
    for newest_first in (False, True):
        seen, looks, after = [], 0, 0
        with store.read() as conn:
            while True:
                found = logs.of_job(conn, job, q="found", after=after, newest_first=newest_first)
                seen += [row.at - START for row in found.lines]
                looks += 1
                if found.looked_to is None:
                    break
                after = found.looked_to
        assert (sorted(seen), looks) == ([3, 44], 3 if store.sqlite else 6)


def test_any_output_can_be_kept(store: Store, job: int) -> None:
    odd = ["", "\x00 \x01 \x1b[31m", "é 漢字 🎈", "'; DROP TABLE logs; --", "%s ? :x"]
    with store.write() as conn:
        logs.append(conn, [line(job, seq, text) for seq, text in enumerate(odd)])
        told = [row.message for row in logs.of_job(conn, job).lines]
    assert told == [text.replace("\x00", "\ufffd") for text in odd]


def test_calls_are_kept_once(store: Store, job: int) -> None:
    call = (job, 1, 1, START, "get", "GET", "https://a.example/\x00", 200, 0.25, "", "ok", "")
    lost = (job, 1, 2, START, "get", "GET", "https://a.example/", None, 9.0, "", "", "timed out")
    with store.write() as conn:
        calls.append(conn, [call])
        calls.append(conn, [call, lost])
        told = calls.of_job(conn, job)
        assert calls.of_job(conn, job, after=told[0].id) == told[1:]
    assert [(c.status, c.error) for c in told] == [(200, ""), (None, "timed out")]
    assert told[0].url == "https://a.example/\ufffd"


def test_a_file_of_the_same_name_is_replaced(store: Store, job: int) -> None:
    with store.write() as conn:
        files.save(conn, job, "out.csv", "1/a", 10, START, "get")
        files.save(conn, job, "out.csv", "1/b", 20, START + 1, "put")
        files.save(conn, job, "log.txt", "1/c", 1, START, "get")
        told = files.of_job(conn, job)
        assert [(f.name, f.path, f.size) for f in told] == [
            ("log.txt", "1/c", 1),
            ("out.csv", "1/b", 20),
        ]
        assert files.get(conn, job, "out.csv") == told[1]
        with pytest.raises(NotFound):
            files.get(conn, job, "../out.csv")
