"""What may be asked for of jobs, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.actions import creation
from jobdeck.actions import jobs as actions
from jobdeck.actions.creation import Recipes
from jobdeck.domain import clock
from jobdeck.domain.errors import Forbidden, InvalidValue, NotFound, WrongState
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import audit, changes, counters, jobs, pipelines
from jobdeck.store.database import Store
from tests.integration.hands import ANA, EVE, ROOT, Hands, define, manifest

CITY = {"city": "Gouda"}


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


def create(store: Store, params: dict[str, Any] | None = None, **more: Any) -> Job:
    item = EnqueueItem(flow="weather", params=CITY if params is None else params, **more)
    return actions.create(store, ANA, "try", item)


def get(store: Store, job_id: int) -> Job:
    with store.read() as conn:
        return jobs.get(conn, job_id)


def total(store: Store) -> dict[Status, int]:
    with store.read() as conn:
        return {status: n for status, n in counters.totals(conn).items() if n}


def test_creates_a_pending_job_and_says_who(store: Store) -> None:
    job = create(store, priority=3, context="dev")
    assert (job.status, job.flow, job.queue) == (Status.PENDING, "weather", "etl")
    assert (job.priority, job.context, job.params) == (3, "dev", CITY)
    assert (job.created_by, job.source) == ("ana", "manual")
    with store.read() as conn:
        row = audit.find(conn)[0]
    assert (row.actor, row.action, row.target) == ("ana", "job.create", f"job {job.id}")
    assert (row.reason, row.role) == ("try", "operator")


def test_a_time_to_come_makes_it_scheduled(store: Store) -> None:
    at = clock.now() + 10**12
    job = create(store, run_at=at)
    assert (job.status, job.run_at) == (Status.SCHEDULED, at)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.city"),
        ({"city": 3}, "params.city"),
        ({"city": "x", "days": 0}, "params.days"),
        ({"city": "x", "dys": 1}, "params.dys"),
        ({"city": "x\ud800"}, "params"),
    ],
)
def test_params_that_do_not_fit_leave_nothing(
    store: Store, params: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        create(store, params)
    assert caught.value.field == field
    assert total(store) == {}
    with store.read() as conn:
        assert audit.find(conn) == []


def test_refuses_what_a_database_cannot_hold(store: Store) -> None:
    for more in ({"priority": 2**40}, {"context": "a\0b"}):
        with pytest.raises(InvalidValue) as caught:
            create(store, None, **more)
        assert caught.value.field == next(iter(more))


def test_refuses_unknown_flows_and_unpublished_pipelines(store: Store) -> None:
    with pytest.raises(NotFound, match="weather"):
        actions.create(store, ANA, "", EnqueueItem(flow="wether"))
    with store.write() as conn:
        pipelines.unpublish(conn, "weather", clock.now())
    with pytest.raises(WrongState, match="publish"):
        create(store)


def test_a_viewer_may_change_nothing(store: Store) -> None:
    with pytest.raises(Forbidden, match="operator"):
        actions.create(store, EVE, "", EnqueueItem(flow="weather", params=CITY))
    assert total(store) == {}


def test_stops_at_once_what_waits(store: Store) -> None:
    for job in (create(store), create(store, run_at=clock.now() + 10**12)):
        stopped = actions.stop(store, ANA, "enough", job.id)
        assert (stopped.status, stopped.reason) == (Status.STOPPED, Reason.STOPPED)
        assert "ana" in stopped.message
        assert "enough" in stopped.message
    assert total(store) == {Status.STOPPED: 2}


def test_asks_a_running_job_to_stop(store: Store) -> None:
    job = create(store)
    hands = Hands(store)
    (taken,) = hands.take()
    hands.begin(taken)
    asked = actions.stop(store, ANA, "enough", job.id)
    assert (asked.status, asked.stopping) == (Status.RUNNING, "stop")
    assert actions.stop(store, ANA, "again", job.id).stopping == "stop"
    assert actions.kill(store, ANA, "now", job.id).stopping == "kill"
    hands.end(taken, Code.COMPLETED)
    assert get(store, job.id).status == Status.COMPLETED


def test_an_ended_job_says_its_state_when_asked_to_stop(store: Store) -> None:
    job = create(store)
    Hands(store).run()
    for deed in (actions.stop, actions.kill):
        with pytest.raises(WrongState, match="completed"):
            deed(store, ANA, "", job.id)


def test_stopping_a_parent_stops_its_whole_tree(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "CHUNK", 3)
    parent = create(store)
    hands = Hands(store)
    (taken,) = hands.take()
    hands.begin(taken)
    children = [create(store, parent=parent.id) for _ in range(4)]
    grandchildren = [create(store, parent=child.id) for child in children for _ in range(2)]
    other = create(store)
    actions.stop(store, ANA, "enough", parent.id)
    assert get(store, parent.id).stopping == "stop"
    for child in (*children, *grandchildren):
        found = get(store, child.id)
        assert (found.status, found.reason) == (Status.STOPPED, Reason.PARENT_STOPPED)
    assert get(store, other.id).status == Status.PENDING
    with store.read() as conn:
        rows = [row for row in audit.find(conn) if row.action == "job.stop"]
    assert len(rows) == 1
    assert rows[0].detail == {"jobs": 13}


def test_killing_a_waiting_job_says_so(store: Store) -> None:
    killed = actions.kill(store, ANA, "", create(store).id)
    assert (killed.status, killed.reason) == (Status.STOPPED, Reason.KILLED)


@pytest.mark.parametrize("from_", ["failed_step", "start"])
def test_retries_what_failed(store: Store, from_: str) -> None:
    job = create(store)
    hands = Hands(store)
    hands.run(Code.FAILED, Reason.ERROR)
    again = actions.retry(store, ANA, "", job.id, from_=from_)
    assert (again.status, again.reason, again.error) == (Status.PENDING, None, None)
    assert hands.run() == [job.id]
    assert (get(store, job.id).status, get(store, job.id).attempt) == (Status.COMPLETED, 2)
    assert total(store) == {Status.COMPLETED: 1}


def test_retries_nothing_that_is_not_failed_or_stopped(store: Store) -> None:
    job = create(store)
    with pytest.raises(WrongState, match="pending"):
        actions.retry(store, ANA, "", job.id)
    Hands(store).run()
    with pytest.raises(WrongState, match="completed"):
        actions.retry(store, ANA, "", job.id)
    with pytest.raises(InvalidValue, match="from"):
        actions.retry(store, ANA, "", job.id, from_="middle")
    with pytest.raises(NotFound):
        actions.retry(store, ANA, "", 999)


def test_runs_again_with_other_parameters(store: Store) -> None:
    old = create(store, {"city": "Gouda", "days": 3}, priority=2)
    new = actions.run_again(store, ANA, "", old.id, {"days": 4})
    assert new.params == {"city": "Gouda", "days": 4}
    assert (new.retry_of, new.priority) == (old.id, 2)
    assert get(store, old.id) == old


def test_deletes_ended_jobs_with_their_files(store: Store) -> None:
    from jobdeck.store import files

    job = create(store)
    with pytest.raises(WrongState, match="pending"):
        actions.delete(store, ANA, "", job.id)
    Hands(store).run()
    path = store.files / "some" / "where" / "a.csv"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with store.write() as conn:
        files.save(conn, job.id, "a.csv", "some/where/a.csv", 1, clock.now(), "")
    actions.delete(store, ANA, "", job.id)
    with pytest.raises(NotFound):
        get(store, job.id)
    assert not path.exists()
    assert total(store) == {}


def test_creates_many_in_chunks_with_one_audit_row(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "CHUNK", 4)
    items = [EnqueueItem(flow="weather", params={"city": str(n)}) for n in range(10)]
    ids = actions.create_many(store, ROOT, "bulk", items, recipes=Recipes())
    assert [get(store, job_id).params["city"] for job_id in ids] == [str(n) for n in range(10)]
    with store.read() as conn:
        (row,) = audit.find(conn)
    assert row.detail["jobs"] == 10


def test_creates_none_of_many_if_one_does_not_fit(store: Store) -> None:
    items = [EnqueueItem(flow="weather", params=p) for p in (CITY, CITY, {"city": 1}, CITY)]
    with pytest.raises(InvalidValue) as caught:
        actions.create_many(store, ANA, "", items, recipes=Recipes())
    assert caught.value.field == "items[2].params.city"
    assert total(store) == {}


def test_a_manifest_registers_an_unknown_pipeline(store: Store) -> None:
    item = EnqueueItem(flow="rain", params=CITY)
    with pytest.raises(NotFound):
        actions.create_many(store, ANA, "", [item], recipes=Recipes())
    (job_id,) = actions.create_many(
        store, ANA, "", [item], recipes=Recipes(), manifest=manifest("rain")
    )
    assert get(store, job_id).pipeline == "rain"
    with store.read() as conn:
        told = {(change.topic, change.ref) for change in changes.after(conn, 0)}
    assert {("pipeline", "rain"), ("flow", "rain")} <= told


def test_a_recipe_is_renewed_when_its_flow_changes(store: Store) -> None:
    from jobdeck.actions import flows

    recipes = Recipes()
    item = EnqueueItem(flow="weather", params=CITY)
    actions.create_many(store, ANA, "", [item], recipes=recipes)
    flows.edit(store, ANA, "", "weather", {"priority": 9, "params": {"days": 2}})
    (job_id,) = actions.create_many(store, ANA, "", [item], recipes=recipes)
    assert get(store, job_id).priority == 9
    assert get(store, job_id).params == {"city": "Gouda", "days": 2}


def test_what_raises_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(InvalidValue, match="reason"):
        actions.create(store, ANA, "x" * 3000, EnqueueItem(flow="weather", params=CITY))
    with pytest.raises(InvalidValue, match="NUL"):
        actions.create(store, ANA, "a\0b", EnqueueItem(flow="weather", params=CITY))
    with pytest.raises(NotFound):
        create(store, parent=12345)
    assert total(store) == {}
