"""What stands around a job."""

from __future__ import annotations

from jobdeck.domain.clock import SECOND
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Code
from jobdeck.store import audit, jobs, pools, surroundings
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from tests.store import test_error_groups
from tests.store.test_error_groups import NOON, fail

failing = test_error_groups.failing
ANA = Actor("ana", Role.OPERATOR)


def test_neighbours_are_runs_of_the_same_flow(failing: Store) -> None:
    (good,) = fail(failing, "x", code=Code.COMPLETED)
    fail(failing, "x", flow="etl")
    (before,) = fail(failing, "x")
    (middle,) = fail(failing, "x", at=NOON + 7)
    with failing.write() as conn:
        flow_id = 1
        (after,) = enqueue(conn, [NewJob(flow_id=flow_id, queue_id=1)], NOON)
    with failing.read() as conn:
        found = surroundings.neighbours(conn, jobs.get(conn, middle))
        alone = surroundings.neighbours(conn, jobs.get(conn, good))
    told = [(each.relation, each.id, each.status) for each in found]
    assert told == [
        ("before", before, "failed"),
        ("after", after, "pending"),
        ("success", good, "completed"),
    ]
    assert found[0].finished_at == NOON
    assert [each.relation for each in alone] == ["after"]


def test_happenings_are_what_was_changed_meanwhile(store: Store) -> None:
    with store.write() as conn:
        for second, action in enumerate(
            ("queue.pause", "job.stop", "pipeline.publish", "error.resolve", "queue.resume")
        ):
            at = NOON + second * 10 * SECOND
            audit.add(conn, at=at, actor=ANA, action=action, target="queue etl", reason="why")
        pools.open(conn, "build-7", 1, 1, [], NOON + 15 * SECOND)
        lost = pools.open(conn, "build-8", 1, 1, [], NOON - 500 * SECOND)
        pools.beat(conn, lost, NOON + 25 * SECOND, 1)
        pools.set_state(conn, lost, pools.LOST)
    with store.read() as conn:
        found = surroundings.happenings(conn, NOON, NOON + 30 * SECOND)
        assert surroundings.happenings(conn, NOON + 60 * SECOND, NOON + 90 * SECOND) == []
    assert [(each.action, each.actor) for each in found] == [
        ("queue.pause", "ana"),
        ("pool.started", ""),
        ("pipeline.publish", "ana"),
        ("pool.lost", ""),
    ]
