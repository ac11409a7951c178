"""Recovering stuck jobs, and finishing jobs by force, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from jobdeck.actions import jobs as actions
from jobdeck.actions.recovery import recover
from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import Forbidden, InvalidValue, WrongState
from jobdeck.domain.liveness import STALE_S, Verdict
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import audit, counters, events, flows, jobs, parents, pools, standing
from jobdeck.store.claims import Claimed
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.tables import delayed, running
from jobdeck.store.tables import jobs as job_rows
from jobdeck.store.tables import parents as parent_rows
from jobdeck.store.tables import pools as pool_rows
from tests.integration.hands import ANA, EVE, Hands, define

HOURS = 3 * 3600 * SECOND


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


def create(store: Store, **more: Any) -> int:
    item = EnqueueItem(flow="weather", params={"city": "Gouda"}, **more)
    return actions.create(store, ANA, "", item).id


def begun(store: Store, hands: Hands) -> tuple[int, Claimed]:
    job_id = create(store)
    (taken,) = hands.take()
    hands.begin(taken)
    return job_id, taken


def job(store: Store, job_id: int) -> Job:
    with store.read() as conn:
        return jobs.get(conn, job_id)


def totals(store: Store) -> dict[Status, int]:
    with store.read() as conn:
        return {status: n for status, n in counters.totals(conn).items() if n}


def lose(store: Store, hands: Hands) -> None:
    with store.write() as conn:
        conn.execute(
            update(pool_rows)
            .where(pool_rows.c.id == hands.pool)
            .values(heartbeat_at=clock.now() - HOURS)
        )


def stuck(store: Store) -> dict[int, Verdict]:
    with store.read() as conn:
        return {each.job: each for each in standing.stuck(conn, clock.now(), STALE_S, 100)}


def park(store: Store, taken: Claimed, children: int) -> list[int]:
    """Let the job wait for children."""
    now = clock.now()
    with store.write() as conn:
        flow = flows.target(conn, "weather")
        new = NewJob(
            flow_id=flow.flow_id,
            queue_id=flow.queue_id,
            params="{}",
            priority=0,
            parent_id=taken.job_id,
        )
        ids = parents.add_children(conn, taken.job_id, "extract", 0, [new] * children, now)
        ending = Ending(
            **{name: getattr(taken, name) for name in Ending._fields[:7]},
            code=Code.RUNNING,
            shown=True,
            began=True,
            started_at=now,
            finished_at=now,
        )
        assert finish(conn, [ending])
    return ids


def test_what_lives_is_skipped(store: Store) -> None:
    hands = Hands(store)
    job_id, _ = begun(store, hands)
    assert stuck(store) == {}
    (verdict,) = recover(store, ANA, "").jobs
    assert (verdict.job, verdict.kind, verdict.outcome) == (job_id, "active", "skipped")
    assert job(store, job_id).status == Status.RUNNING


def test_a_job_of_a_pool_that_is_gone_goes_back(store: Store) -> None:
    hands = Hands(store)
    job_id, taken = begun(store, hands)
    lose(store, hands)
    assert stuck(store)[job_id].kind == "orphaned"
    found = recover(store, ANA, "", dry_run=True)
    assert [(v.remedy, v.outcome) for v in found.jobs] == [("give_back", "")]
    assert job(store, job_id).status == Status.RUNNING
    found = recover(store, ANA, "the box burned down")
    assert [v.outcome for v in found.jobs] == ["done"]
    assert (job(store, job_id).status, job(store, job_id).losses) == (Status.PENDING, 1)
    assert totals(store) == {Status.PENDING: 1}
    with store.read() as conn:
        kinds = [event.kind for event in events.of_job(conn, jobs.get(conn, job_id))]
        row = next(row for row in audit.find(conn) if row.action == "jobs.recover")
    assert "recovered" in kinds
    assert (row.actor, row.reason, row.detail["number"]) == ("ana", "the box burned down", 1)
    # What the lost pool says afterwards changes nothing.
    with store.write() as conn:
        late = Ending(
            **{name: getattr(taken, name) for name in Ending._fields[:7]},
            code=Code.COMPLETED,
            shown=True,
            began=True,
            finished_at=clock.now(),
        )
        assert finish(conn, [late]) == []
    assert recover(store, ANA, "").jobs == []


def test_a_stop_that_a_lost_pool_did_not_hear_of_is_carried_out(store: Store) -> None:
    hands = Hands(store)
    job_id, _ = begun(store, hands)
    actions.stop(store, ANA, "wrong city", job_id)
    lose(store, hands)
    recover(store, ANA, "")
    found = job(store, job_id)
    assert (found.status, found.message) == (Status.STOPPED, "wrong city")


def test_a_silent_job_in_a_live_worker_is_told_and_left(store: Store) -> None:
    hands = Hands(store)
    job_id, _ = begun(store, hands)
    with store.write() as conn:
        conn.execute(update(running).values(begun_at=clock.now() - HOURS))
    assert stuck(store)[job_id].kind == "stale"
    assert recover(store, ANA, "").jobs[0].outcome == "skipped"
    with store.write() as conn:
        pools.remove_worker(conn, hands.worker)
    assert stuck(store)[job_id].kind == "orphaned"
    assert recover(store, ANA, "").jobs[0].outcome == "done"


def test_a_parent_that_nobody_woke_goes_on(store: Store) -> None:
    hands = Hands(store)
    job_id, taken = begun(store, hands)
    park(store, taken, children=2)
    kinds = {v.job: v.kind for v in recover(store, ANA, "").jobs}
    assert kinds[job_id] == "waiting_for_children"
    with store.write() as conn:
        conn.execute(update(parent_rows).values(completed=2))
    assert stuck(store)[job_id].kind == "not_woken"
    outcomes = {v.job: v.outcome for v in recover(store, ANA, "").jobs}
    assert outcomes[job_id] == "done"
    assert job(store, job_id).status == Status.PENDING


def test_an_overdue_job_becomes_pending(store: Store) -> None:
    job_id = create(store, run_at=clock.now() + HOURS)
    assert stuck(store) == {}
    with store.write() as conn:
        conn.execute(update(delayed).values(run_at=clock.now() - HOURS))
    assert stuck(store)[job_id].kind == "overdue"
    recover(store, ANA, "")
    assert totals(store) == {Status.PENDING: 1}


def test_a_job_that_no_pool_can_run_is_told_with_what_to_do(store: Store) -> None:
    job_id = create(store)
    assert stuck(store) == {}
    with store.write() as conn:
        conn.execute(update(job_rows).values(created_at=clock.now() - HOURS))
    verdict = stuck(store)[job_id]
    assert verdict.kind == "no_pool"
    assert "No pool is alive" in verdict.why
    assert recover(store, ANA, "").jobs[0].outcome == "skipped"


def test_recovering_takes_a_role_and_a_time_that_means_something(store: Store) -> None:
    with pytest.raises(Forbidden):
        recover(store, EVE, "")
    with pytest.raises(InvalidValue, match="stale_s"):
        recover(store, ANA, "", stale_s=1)


@pytest.mark.parametrize(
    ("as_", "status", "reason"),
    [
        ("failed", Status.FAILED, Reason.FORCED),
        ("stopped", Status.STOPPED, Reason.STOPPED),
    ],
)
def test_finishing_is_true_at_once(store: Store, as_: str, status: Status, reason: Reason) -> None:
    job_id, _ = begun(store, Hands(store))
    found = actions.finish(store, ANA, "it hangs", job_id, as_=as_)
    assert (found.status, found.reason) == (status, reason)
    assert found.message == f"finished as {as_} by ana: it hangs"
    assert found.finished_at is not None
    assert totals(store) == {status: 1}
    assert stuck(store) == {}
    with pytest.raises(WrongState, match=as_):
        actions.finish(store, ANA, "again", job_id, as_=as_)
    assert actions.retry(store, ANA, "", job_id).status == Status.PENDING


def test_a_parent_ends_when_its_last_child_is_stopped(store: Store) -> None:
    job_id, taken = begun(store, Hands(store))
    first, last = park(store, taken, 2)
    actions.stop(store, ANA, "", first)
    assert job(store, job_id).status == Status.RUNNING
    actions.stop(store, ANA, "", last)
    parent = job(store, job_id)
    assert (parent.status, parent.reason) == (Status.STOPPED, Reason.CHILDREN_STOPPED)


def test_finishing_a_parent_ends_its_children(store: Store) -> None:
    hands = Hands(store)
    job_id, taken = begun(store, hands)
    ids = park(store, taken, children=3)
    assert actions.finish(store, ANA, "no use", job_id).status == Status.FAILED
    assert [job(store, each).reason for each in ids] == [Reason.PARENT_STOPPED] * 3
    assert totals(store) == {Status.FAILED: 1, Status.STOPPED: 3}


def test_finishing_is_refused_where_it_makes_no_sense(store: Store) -> None:
    waiting = create(store)
    with pytest.raises(WrongState, match=r"pending; only a running one.*Stop it instead"):
        actions.finish(store, ANA, "why", waiting)
    hands = Hands(store)
    (taken,) = hands.take()
    with pytest.raises(WrongState, match="pending"):
        actions.finish(store, ANA, "why", waiting)
    hands.begin(taken)
    with pytest.raises(InvalidValue, match="reason"):
        actions.finish(store, ANA, "  ", waiting)
    with pytest.raises(InvalidValue, match="as"):
        actions.finish(store, ANA, "why", waiting, as_="completed")
    with pytest.raises(Forbidden):
        actions.finish(store, EVE, "why", waiting)
    assert job(store, waiting).status == Status.RUNNING
