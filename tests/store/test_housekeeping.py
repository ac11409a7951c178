"""Audit, changes, sessions, and deleting jobs."""

from __future__ import annotations

from sqlalchemy import func, select

from jobdeck.domain.clock import SECOND
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import FINAL, Status
from jobdeck.store import audit, changes, cleanup, counters, events, files, jobs, logs, sessions
from jobdeck.store.database import Store
from jobdeck.store.tables import metadata
from tests.store.world import START, build

ANN = Actor("ann", Role.OPERATOR)


def test_the_audit_tells_who_did_what(store: Store) -> None:
    with store.write() as conn:
        first = audit.add(
            conn,
            at=START,
            actor=ANN,
            action="stop",
            target="job 7",
            reason="stuck\x00",
            detail={"done": 0},
        )
        audit.add(conn, at=START + 1, actor=ANN, action="pause", target="queue mail")
        audit.amend(conn, first, {"done": 5})
        newest, oldest = audit.find(conn)
        assert audit.find(conn, target="job 7") == [oldest]
        assert audit.find(conn, before=newest.id) == audit.find(conn, limit=1, before=newest.id)
        assert (oldest.actor, oldest.role, oldest.reason) == ("ann", "operator", "stuck\ufffd")
        assert (oldest.detail, newest.detail) == ({"done": 5}, None)


def test_changes_are_told_from_a_place_on(store: Store) -> None:
    with store.write() as conn:
        assert changes.latest_id(conn) == 0
        changes.add(conn, START, [("job", "7", "changed"), ("jobs", "", "some")])
        changes.add(conn, START + 9, [("queue", "mail", "paused")])
        told = changes.after(conn, 0)
        assert [(c.topic, c.ref, c.kind) for c in told][::2] == [
            ("job", "7", "changed"),
            ("queue", "mail", "paused"),
        ]
        assert changes.after(conn, told[0].id, limit=1) == told[1:2]
        assert changes.latest_id(conn) == told[-1].id
        assert changes.trim(conn, START + 5) == 2
        assert changes.after(conn, 0) == told[2:]
        # The newest stays, so that a reader that is up to date knows it is.
        assert changes.trim(conn, START + 50) == 0


def test_a_session_lasts_its_time(store: Store) -> None:
    with store.write() as conn:
        sessions.open(conn, "digest", ANN, START, 60)
        assert sessions.find(conn, "digest", START + 59 * SECOND) == ANN
        assert sessions.find(conn, "digest", START + 60 * SECOND) is None
        assert sessions.find(conn, "other", START) is None
        assert sessions.purge(conn, START) == 0
        assert sessions.close(conn, "digest")
        assert not sessions.close(conn, "digest")
        sessions.open(conn, "old", ANN, START, 1)
        assert sessions.purge(conn, START + SECOND) == 1


def test_deleted_jobs_leave_nothing(store: Store) -> None:
    world = build(store, jobs=120)
    everything = list(world.known)
    ended = {job.id for job in world.known.values() if job.status in FINAL}
    with store.write() as conn:
        for job_id in everything:
            logs.append(conn, [(job_id, 1, 1, START, "info", "log", "", "x", None)])
            events.add(conn, job_id, START, "noted")
            files.save(conn, job_id, "a", f"{job_id}/a", 1, START, "")
    open_ids = set(everything) - ended
    needed = {i for i in ended if world.known[i].parent in open_ids}
    with store.write() as conn:
        gone = cleanup.delete_jobs(conn, everything)
    assert set(gone.job_ids) == ended - needed
    assert sorted(gone.paths) == sorted(f"{job_id}/a" for job_id in gone.job_ids)
    with store.read() as conn:
        left = set(everything) - set(gone.job_ids)
        assert {job.id for job in jobs.load(conn, everything)} == left
        totals = counters.totals(conn)
        for table in metadata.sorted_tables:
            for column in table.c:
                if column.name not in ("job_id", "parent_id") or table.name in ("jobs", "fires"):
                    continue
                found = conn.execute(
                    select(func.count()).where(column.in_(list(gone.job_ids)))
                ).scalar()
                assert found == 0, column
    for status in Status:
        assert totals[status] == sum(world.known[i].status == status for i in left)
    with store.write() as conn:
        assert cleanup.delete_jobs(conn, everything) == ([], [])
