"""What may be asked for of queues, schedules, flows, pipelines, pools, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.actions import flows, pipelines, pools, queues, schedules, views
from jobdeck.actions import jobs as job_actions
from jobdeck.actions.perform import ACTIONS
from jobdeck.domain.errors import Duplicate, Forbidden, InvalidValue, NotFound, WrongState
from jobdeck.domain.records import Queue
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.roles import Role
from jobdeck.domain.states import Status
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import audit, counters, jobs
from jobdeck.store import queues as queue_reads
from jobdeck.store.database import Store
from tests.integration.hands import ANA, EVE, ROOT, Hands, define, manifest


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


def create(store: Store, number: int = 1) -> list[int]:
    item = EnqueueItem(flow="weather", params={"city": "Gouda"})
    return [job_actions.create(store, ANA, "", item).id for _ in range(number)]


def totals(store: Store) -> dict[Status, int]:
    with store.read() as conn:
        return {status: n for status, n in counters.totals(conn).items() if n}


def queue(store: Store, name: str = "etl") -> Queue:
    with store.read() as conn:
        return queue_reads.get(conn, name, 0)


def test_viewers_change_nothing_but_their_own_views() -> None:
    own = {views.save.name, views.rename.name, views.delete.name}
    assert own <= set(ACTIONS)
    for action in ACTIONS.values():
        assert action.name in own or action.role >= Role.OPERATOR, action.name


def test_pausing_changes_no_status_and_tells_who(store: Store) -> None:
    create(store, 2)
    (found,) = queues.pause(store, ANA, "maintenance", "etl")
    assert (found.paused_by, found.paused_reason) == ("ana", "maintenance")
    assert totals(store) == {Status.PENDING: 2}
    queues.pause(store, ROOT, "other", "etl")
    assert queue(store).paused_by == "ana"
    queues.resume(store, ANA, "", "ALL")
    assert queue(store).paused_at is None
    with pytest.raises(NotFound, match="etl"):
        queues.pause(store, ANA, "", "elt")


def test_stopping_a_queue_stops_what_is_pending_in_chunks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "CHUNK", 3)
    create(store)
    hands = Hands(store)
    (taken,) = hands.take()
    hands.begin(taken)
    waiting = create(store, 8)
    queues.pause(store, ANA, "", "etl")
    done = queues.stop(store, ANA, "enough", "all")
    assert (done.total, done.queues) == (8, {"etl": 8})
    assert totals(store) == {Status.RUNNING: 1, Status.STOPPED: 8}
    assert queue(store).paused_at is not None
    with store.read() as conn:
        assert "enough" in jobs.get(conn, waiting[0]).message
        rows = [row for row in audit.find(conn) if row.action == "queue.stop"]
    assert [row.detail for row in rows] == [{"stopped": {"etl": 8}}]


def test_stopping_a_queue_recalls_what_a_pool_has_not_begun(store: Store) -> None:
    (job_id,) = create(store)
    Hands(store).take()
    assert queues.stop(store, ANA, "", "etl").total == 1
    with store.read() as conn:
        assert jobs.get(conn, job_id).stopping == "stop"


def test_schedules_come_and_go(store: Store) -> None:
    made = schedules.add(store, ANA, "", "weather", cron="0 5 * * *", params={"city": "Ede"})
    assert made.next_at is not None
    edited = schedules.edit(store, ANA, "", made.id, {"interval_s": 60.0})
    assert (edited.cron, edited.interval_s) == ("", 60.0)
    (paused,) = schedules.pause(store, ANA, "why", made.id)
    assert (paused.paused_by, paused.paused_reason, paused.next_at) == ("ana", "why", None)
    (held,) = schedules.resume(store, ANA, "", None)
    assert held.next_at is None  # it was paused by itself
    (resumed,) = schedules.resume(store, ANA, "", made.id)
    assert resumed.next_at is not None
    job = schedules.run(store, ANA, "", made.id)
    assert (job.params, job.schedule, job.source) == ({"city": "Ede"}, made.id, "schedule")
    schedules.remove(store, ANA, "", made.id)
    with pytest.raises(NotFound):
        schedules.run(store, ANA, "", made.id)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "* * * * *", "interval_s": 5.0}, "interval_s"),
        ({"interval_s": 0.5}, "interval_s"),
        ({"interval_s": float("nan")}, "interval_s"),
        ({"cron": "* * * * *", "timezone": "Mars/Base"}, "timezone"),
        ({"cron": "* * * * *", "params": {"town": 1}}, "params.town"),
        ({"cron": "* * * * *", "vendor_id": "a\0"}, "vendor_id"),
    ],
)
def test_schedules_that_cannot_be_are_refused(
    store: Store, settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        schedules.add(store, ANA, "", "weather", **settings)
    assert caught.value.field == field


def test_flows_come_and_go(store: Store) -> None:
    flow = flows.add(
        store, ANA, "", "ede", "weather", params={"city": "Ede"}, retry=RetryPolicy(2), queue="slow"
    )
    assert (flow.queue, flow.retry) == ("slow", RetryPolicy(2))
    with pytest.raises(Duplicate):
        flows.add(store, ANA, "", "ede", "weather")
    edited = flows.edit(store, ANA, "", "ede", {"retry": None, "priority": 4})
    assert (edited.retry, edited.priority) == (None, 4)
    job = job_actions.create(store, ANA, "", EnqueueItem(flow="ede"))
    assert (job.params, job.queue, job.priority) == ({"city": "Ede"}, "slow", 4)
    with pytest.raises(WrongState, match="not ended"):
        flows.remove(store, ANA, "", "ede")
    job_actions.stop(store, ANA, "", job.id)
    flows.remove(store, ANA, "", "ede")
    with pytest.raises(NotFound):
        flows.edit(store, ANA, "", "ede", {})


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"params": {"city": 4}}, "params.city"),
        ({"priority": 10**9}, "priority"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"queue": "a/b"}, "queue"),
        ({"queue": "all"}, "queue"),
        ({"context": "\0"}, "context"),
    ],
)
def test_flows_that_cannot_be_are_refused(
    store: Store, settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValue) as added:
        flows.add(store, ANA, "", "ede", "weather", **settings)
    with pytest.raises(InvalidValue) as edited:
        flows.edit(store, ANA, "", "weather", settings)
    assert added.value.field == edited.value.field == field


def test_names_must_fit_into_addresses(store: Store) -> None:
    for name in ("", "a b", "../x", "all", "x" * 200):
        with pytest.raises(InvalidValue, match="name"):
            flows.add(store, ANA, "", name, "weather")


def test_publishing_and_removing_pipelines(store: Store) -> None:
    (pipeline,) = pipelines.register(store, ANA, "", [manifest(doc="changed")], publish=False)
    assert (pipeline.current_version, pipeline.published_version) == (2, 1)
    assert pipelines.publish(store, ANA, "", "weather").published_version == 2
    assert pipelines.unpublish(store, ANA, "", "weather").published_version is None
    assert pipelines.publish(store, ANA, "", "weather", version=1).published_version == 1
    with pytest.raises(NotFound):
        pipelines.publish(store, ANA, "", "weather", version=9)
    with pytest.raises(Forbidden):
        pipelines.remove(store, ANA, "", "weather")
    pipelines.remove(store, ROOT, "", "weather")
    with pytest.raises(NotFound):
        pipelines.publish(store, ANA, "", "weather")


def test_freeing_workers_gives_each_outcome(store: Store) -> None:
    create(store)
    hands = Hands(store)
    with pytest.raises(WrongState, match="nothing"):
        pools.free(store, ANA, "", hands.worker)
    assert pools.free(store, ANA, "", None) == []
    (taken,) = hands.take()
    hands.begin(taken)
    (outcome,) = pools.free(store, ANA, "hangs", None)
    assert (outcome.worker, outcome.job, outcome.error) == (hands.worker, taken.job_id, "")
    with store.read() as conn:
        assert jobs.get(conn, taken.job_id).stopping == "stop"
    with pytest.raises(NotFound):
        pools.free(store, ANA, "", 999)


def test_draining_a_pool(store: Store) -> None:
    hands = Hands(store)
    assert pools.drain(store, ANA, "", hands.pool).state == "draining"
    with pytest.raises(NotFound):
        pools.drain(store, ANA, "", 999)
    with pytest.raises(Forbidden):
        pools.drain(store, EVE, "", hands.pool)
