"""Cleaning up what is too old, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobdeck.actions import cleanup as actions
from jobdeck.actions.bulk import few
from jobdeck.domain import clock
from jobdeck.domain.bulk import Order
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import Forbidden
from jobdeck.domain.records import Job
from jobdeck.domain.retention import Keep
from jobdeck.domain.states import Code, Status
from jobdeck.engine.tidying import Tidying
from jobdeck.store import audit, files, flows, jobs, logs, parents, retention, tables
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from tests.integration.actions.test_bulk import at_work, create, ended, failed, get
from tests.integration.hands import ANA, ROOT, Hands, define

DAY = 86400 * SECOND
NOTHING: dict[str, Any] = dict.fromkeys(Keep.__struct_fields__)


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


def age(store: Store, days: int) -> None:
    """Let all that is recorded be so much older."""
    t = tables
    with store.write() as conn:
        for column in (
            *(t.jobs.c.created_at, t.jobs.c.finished_at, t.unsuccessful.c.finished_at),
            *(t.logs.c.at, t.audit.c.at, t.files.c.created_at),
        ):
            conn.execute(update(column.table).values({column: column - days * DAY}))


def completed(store: Store, many: int, **more: Any) -> list[int]:
    create(store, many, **more)
    return Hands(store).run(Code.COMPLETED)


def say(store: Store, job_id: int) -> None:
    with store.write() as conn:
        row = (job_id, 1, 1, clock.now(), "info", "log", "load", "a line", None)
        logs.append(conn, [row])


def keep_file(store: Store, job_id: int) -> None:
    path = store.files / str(job_id) / "rows.csv"
    path.parent.mkdir(parents=True)
    path.write_text("x" * 100)
    with store.write() as conn:
        files.save(conn, job_id, "rows.csv", f"{job_id}/rows.csv", 100, clock.now(), "load")


def clean(store: Store, keep: Keep, *, dry_run: bool = False) -> Job:
    job = actions.start(store, ROOT, "full", keep, dry_run=dry_run)
    with at_work(store):
        return ended(store, job.id)


def rows(job: Job) -> dict[str, int]:
    return {kind: told["rows"] for kind, told in job.result["kinds"].items() if told["rows"]}


def left(store: Store) -> list[int]:
    with store.read() as conn:
        query = select(tables.jobs.c.id).order_by(tables.jobs.c.id)
        return list(conn.execute(query).scalars())


def count(store: Store, name: str) -> int:
    table = tables.metadata.tables[name]
    with store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def test_old_jobs_go_with_what_belongs_to_them(store: Store) -> None:
    done, lost = completed(store, 3), failed(store, 2)
    (waiting,) = create(store)
    say(store, done[0])
    keep_file(store, done[0])
    age(store, 40)
    say(store, waiting)
    age(store, 10)
    keep = Keep(completed=30 * 86400.0, failed=60 * 86400.0, logs=None, audit=None)
    dry = clean(store, keep, dry_run=True)
    assert (rows(dry), dry.message) == ({"jobs": 3}, "3 jobs would be deleted")
    assert left(store)[:3] == done
    job = clean(store, keep)
    assert (job.queue, job.status, rows(job)) == ("CLEANUP", "completed", {"jobs": 3})
    assert job.message == "3 jobs deleted"
    assert left(store) == [*lost, waiting, dry.id, job.id]
    assert not (store.files / str(done[0])).exists()
    assert (count(store, "files"), get(store, waiting).status) == (0, Status.PENDING)
    with store.read() as conn:
        row = audit.find(conn, target=f"job {job.id}")[0]
    assert (row.action, row.actor, row.detail["kinds"]["jobs"]["rows"]) == (
        "cleanup.run",
        "root",
        3,
    )
    both = clean(store, Keep(completed=None, failed=30 * 86400.0, logs=None, audit=None))
    assert rows(both) == {"jobs": 2}
    assert count(store, "unsuccessful") == 0


def test_logs_files_payloads_and_the_audit_have_times_of_their_own(store: Store) -> None:
    (done,) = completed(store, 1, params='{"city": "Gouda"}')
    (lost,) = failed(store)
    (waiting,) = create(store, params='{"city": "Gouda"}')
    for each in (done, lost, waiting):
        say(store, each)
        keep_file(store, each)
    few(store, ANA, "old", Order(action="priority", priority=1), [waiting])
    age(store, 8)
    week = 7 * 86400.0
    keep = Keep(completed=None, failed=None, logs=week, payload=week, files=week, audit=week)
    with store.read() as conn:
        for kind in ("logs", "payload", "files", "audit"):
            for age_s, due in ((week, True), (9 * 86400.0, False)):
                one = Keep(**(NOTHING | {kind: age_s}))
                assert retention.due(conn, one, clock.now()) == due, kind
    job = clean(store, keep)
    # What belongs to an open job stays.
    assert rows(job) == {"logs": 2, "files": 2, "payload": 1, "audit": 1}
    assert job.result["kinds"]["files"]["bytes"] == 200
    assert [get(store, each).params for each in (done, waiting)] == [{}, {"city": "Gouda"}]
    assert (count(store, "logs") >= 1, count(store, "files")) == (True, 1)
    assert (store.files / str(waiting) / "rows.csv").exists()
    assert not (store.files / str(done) / "rows.csv").exists()
    with store.read() as conn:
        assert [line.message for line in logs.of_job(conn, waiting).lines] == ["a line"]


def test_a_tree_goes_from_the_top_and_not_while_a_child_is_open(store: Store) -> None:
    parent = completed(store, 1)[0]
    with store.write() as conn:
        target = flows.target(conn, "weather")
        new = NewJob(flow_id=target.flow_id, queue_id=target.queue_id, parent_id=parent)
        children = parents.add_children(conn, parent, "s", 0, [new] * 2, clock.now())
    keep = Keep(completed=86400.0, failed=None, logs=None, audit=None)
    age(store, 2)
    assert rows(clean(store, keep)) == {}
    Hands(store).run(Code.COMPLETED)
    # The children ended just now, but the parent is old: it goes, they stay for their time.
    assert rows(clean(store, keep)) == {"jobs": 1}
    assert left(store)[:2] == children
    age(store, 2)
    assert rows(clean(store, keep, dry_run=True))["jobs"] >= 2


def test_nothing_is_too_old(store: Store) -> None:
    completed(store, 2)
    job = clean(store, Keep())
    assert (rows(job), job.message) == ({}, "nothing is too old")
    with pytest.raises(Forbidden):
        actions.start(store, ANA, "", Keep())


def test_it_happens_at_the_start_and_daily_where_there_is_something(store: Store) -> None:
    def found() -> list[int]:
        with store.read() as conn:
            known = jobs.load(conn, left(store))
        return [job.id for job in known if job.queue == "CLEANUP"]

    lost = failed(store)
    now = clock.now()
    Tidying(store, Keep()).turn(now)
    assert found() == []
    age(store, 31)
    tidying = Tidying(store, Keep(), "05:00")
    tidying.turn(now)
    assert len(found()) == 1
    tidying.turn(now + SECOND)
    tidying.turn(now + DAY)
    # The first one has not ended yet.
    assert len(found()) == 1
    with at_work(store):
        job = ended(store, found()[0])
    assert (job.created_by, rows(job)["jobs"], job.source) == ("jobdeck", 1, "maintenance")
    assert lost[0] not in left(store)
