"""The same done to many jobs, at once or by a job of the queue BULK, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from jobdeck.actions import bulk as actions
from jobdeck.actions import jobs as job_actions
from jobdeck.actions import pipelines
from jobdeck.actions import queues as queue_actions
from jobdeck.domain import clock
from jobdeck.domain.bulk import Bulk, Item, Order
from jobdeck.domain.errors import Forbidden, InvalidValue, NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.engine.chore import Chore
from jobdeck.engine.chores import bulk as chore
from jobdeck.engine.housework import Housework
from jobdeck.store import audit, bulk, counters, events, flows, jobs, logs, parents, queues, steps
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from tests.integration.hands import ANA, EVE, Hands, define, manifest

STOP = Order(action="stop")


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


@contextmanager
def at_work(store: Store) -> Iterator[Housework]:
    """Housework as maintenance does it."""
    housework = Housework(store)
    housework.start()
    try:
        yield housework
    finally:
        housework.stop(30)


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until this is set, a job gets no further than its first part."""
    event = threading.Event()
    transaction = Chore.transaction

    @contextmanager
    def part(chore: Chore) -> Iterator[Connection]:
        with transaction(chore) as conn:
            yield conn
        while chore.done and not event.is_set() and not chore._ending(0.005):
            pass

    monkeypatch.setattr(Chore, "transaction", part)
    return event


def create(store: Store, many: int = 1, **more: Any) -> list[int]:
    with store.write() as conn:
        target = flows.target(conn, "weather")
        new = NewJob(flow_id=target.flow_id, queue_id=target.queue_id, **more)
        return enqueue(conn, [new] * many, clock.now())


def failed(store: Store, many: int = 1) -> list[int]:
    create(store, many)
    return Hands(store).run(Code.FAILED, Reason.ERROR)


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.005)
    return value


def get(store: Store, job_id: int) -> Job:
    with store.read() as conn:
        return jobs.get(conn, job_id)


def ended(store: Store, job_id: int) -> Job:
    def final() -> Job | None:
        job = get(store, job_id)
        return job if job.status.final else None

    found: Job = until(final, f"job {job_id} to end")
    return found


def items(store: Store, job_id: int, **more: Any) -> list[Item]:
    with store.read() as conn:
        return bulk.items(conn, job_id, limit=10_000, **more)


def total(store: Store) -> dict[Status, int]:
    with store.read() as conn:
        return {status: n for status, n in counters.totals(conn).items() if n}


def test_a_few_are_stopped_at_once_each_with_what_became_of_it(store: Store) -> None:
    (lost,) = failed(store)
    waiting = create(store, 2)
    found = actions.few(store, ANA, "spring", STOP, [*waiting, lost, 999, waiting[0]])
    assert found == [
        Item(job=lost, outcome="skipped", message="it is failed already"),
        *(Item(job=each, outcome="done") for each in waiting),
        Item(job=999, outcome="skipped", message="there is no such job"),
    ]
    job = get(store, waiting[0])
    assert (job.status, job.reason, job.message) == ("stopped", "stopped", "stopped by ana: spring")
    with store.read() as conn:
        (row,) = audit.find(conn)
    assert (row.action, row.reason) == ("job.bulk_few", "spring")
    assert row.detail == {"action": "stop", "done": waiting, "skipped": [lost, 999]}


def test_running_ones_are_asked(store: Store) -> None:
    create(store, 1)
    hands = Hands(store)
    (job,) = hands.take()
    hands.begin(job)
    (found,) = actions.few(store, ANA, "", Order(action="kill"), [job.job_id])
    assert (found.outcome, found.message) == ("done", "asked to kill, it runs")
    assert get(store, job.job_id).stopping == "kill"


def test_retried_from_the_start_or_the_failed_step(store: Store) -> None:
    lost = failed(store, 2)
    (waiting,) = create(store)
    found = actions.few(store, ANA, "", Order(action="retry", from_="start"), [*lost, waiting])
    assert [item.outcome for item in found] == ["done", "done", "skipped"]
    assert found[2].message == "it is pending"
    assert total(store) == {Status.PENDING: 3}
    with store.read() as conn:
        assert [e.kind for e in events.of_job(conn, get(store, lost[0]))][-1] == "retried"


def test_deleted_with_what_belongs_to_them(store: Store) -> None:
    lost = failed(store, 2)
    (waiting,) = create(store)
    found = actions.few(store, ANA, "", Order(action="delete"), [*lost, waiting])
    assert [item.message for item in found] == ["", "", "it is pending; stop it first"]
    assert total(store) == {Status.PENDING: 1}


def test_priority_and_queue_of_waiting_ones(store: Store) -> None:
    (lost,) = failed(store)
    (waiting,) = create(store)
    (later,) = create(store, run_at=clock.now() + 10**12)
    create(store, 1)
    hands = Hands(store)
    with store.write() as conn:
        queues.ensure(conn, "slow")
    order = Order(action="priority", priority=7)
    found = actions.few(store, ANA, "", order, [lost, waiting, later])
    assert [item.outcome for item in found] == ["skipped", "done", "done"]
    assert found[0].message == "it is failed; only waiting jobs can be changed"
    assert [job.job_id for job in hands.take(1)] == [waiting]
    found = actions.few(store, ANA, "", Order(action="move", queue="slow"), [waiting, later])
    assert [item.message for item in found] == ["a pool has just taken it", ""]
    job = get(store, later)
    assert (job.queue, job.priority) == ("slow", 7)
    with store.read() as conn:
        slow = queues.get(conn, "slow", clock.now())
    assert (slow.scheduled, slow.pending) == (1, 0)


@pytest.mark.parametrize(
    ("order", "ids", "field"),
    [
        (STOP, [], "ids"),
        (STOP, [0], "ids"),
        (STOP, [2**63], "ids"),
        (STOP, list(range(1, 102)), "ids"),
        (Order(action="retry", from_="middle"), [1], "from"),
        (Order(action="priority", priority=10**9), [1], "priority"),
        (Order(action="move"), [1], "queue"),
        (Order(action="move", queue="BULK"), [1], "queue"),
        (Order(action="burn"), [1], "action"),  # type: ignore[arg-type]
    ],
)
def test_bad_orders_are_refused(store: Store, order: Order, ids: list[int], field: str) -> None:
    with store.write() as conn:
        queues.ensure(conn, "BULK", builtin=True)
    with pytest.raises(InvalidValue) as caught:
        actions.few(store, ANA, "", order, ids)
    assert caught.value.field == field
    with store.read() as conn:
        assert audit.find(conn) == []


def test_viewers_and_unknown_queues_are_refused(store: Store) -> None:
    with pytest.raises(Forbidden):
        actions.start(store, EVE, "", STOP, ids=[1])
    with pytest.raises(NotFound):
        actions.start(store, ANA, "", Order(action="move", queue="nowhere"), ids=[1])


def test_everything_that_a_filter_means_is_stopped_by_a_job(store: Store) -> None:
    (lost,) = failed(store)
    waiting = create(store, 300)
    job = actions.start(
        store, ANA, "flood", STOP, wanted=JobFilter(flow="weather"), text="flow:weather"
    )
    after = create(store, 1)
    assert (job.queue, job.flow, job.status, job.created_by) == (
        *("BULK", "jobdeck.bulk", "pending", "ana"),
    )
    with at_work(store):
        job = ended(store, job.id)
    assert (job.status, job.attempt) == ("completed", 1)
    assert job.result == {"action": "stop", "done": 300, "skipped": {"it is failed already": 1}}
    assert job.message == "300 stopped, 1 skipped (1: it is failed already)"
    assert total(store)[Status.STOPPED] == 300
    assert get(store, after[0]).status == "pending"
    found = items(store, job.id)
    assert [item.job for item in found] == [lost, *waiting]
    assert [item.job for item in items(store, job.id, outcome="skipped")] == [lost]
    assert items(store, job.id, outcome="waiting") == []
    with store.read() as conn:
        (row,) = audit.find(conn)
        (step,) = steps.of_job(conn, job, None)
        lines = [line.message for line in logs.of_job(conn, job.id).lines]
    assert (row.action, row.target, row.reason) == ("job.bulk", f"job {job.id}", "flood")
    assert (row.detail["jobs"], row.detail["done"]) == (301, 300)
    assert (step.counts.read, step.counts.written, step.counts.skipped) == (301, 300, 1)
    assert lines[0] == "301 jobs are to be stopped"


def test_children_are_stopped_with_their_parents(store: Store) -> None:
    (parent,) = create(store)
    with store.write() as conn:
        target = flows.target(conn, "weather")
        new = NewJob(flow_id=target.flow_id, queue_id=target.queue_id, parent_id=parent)
        children = parents.add_children(conn, parent, "s", 0, [new] * 5, clock.now())
    (found,) = actions.few(store, ANA, "", STOP, [parent])
    assert found.outcome == "done"
    assert {get(store, child).reason for child in children} == {"parent_stopped"}


def test_it_can_be_stopped_and_goes_on_where_it_was_when_retried(
    store: Store, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    monkeypatch.setattr(chore, "MOST", 10)
    monkeypatch.setattr(chore, "FIRST", 10)
    lost = failed(store, 100)
    job = actions.start(store, ANA, "", Order(action="retry"), ids=lost)
    with at_work(store):
        until(lambda: (p := get(store, job.id).progress) and p.done, "progress")
        job_actions.stop(store, ANA, "enough", job.id)
        go_on.set()
        stopped = ended(store, job.id)
    done = len(items(store, job.id, outcome="done"))
    assert stopped.status == "stopped"
    assert stopped.message.startswith("enough")
    assert 0 < done < 100
    assert total(store)[Status.PENDING] == done
    job_actions.retry(store, ANA, "", job.id)
    with at_work(store):
        again = ended(store, job.id)
    assert (again.status, again.result["done"]) == ("completed", 100)
    assert total(store)[Status.PENDING] == 100


def test_a_process_that_ends_gives_it_back_and_another_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    monkeypatch.setattr(chore, "MOST", 10)
    monkeypatch.setattr(chore, "FIRST", 10)
    create(store, 400)
    job = actions.start(store, ANA, "", STOP, wanted=JobFilter(status=(Status.PENDING,)))
    with at_work(store):
        until(lambda: (p := get(store, job.id).progress) and p.done, "progress")
    assert get(store, job.id).status == "pending"
    assert total(store)[Status.STOPPED] < 400
    go_on.set()
    with at_work(store):
        again = ended(store, job.id)
    assert (again.status, again.attempt, again.result["done"]) == ("completed", 2, 400)
    assert total(store) == {Status.STOPPED: 400, Status.COMPLETED: 1}


def test_a_paused_queue_holds_it(store: Store) -> None:
    (one,) = create(store)
    with at_work(store):
        until(lambda: "BULK" in _queues(store), "the queue")
        queue_actions.pause(store, ANA, "", "BULK")
        job = actions.start(store, ANA, "", STOP, ids=[one])
        time.sleep(0.4)
        assert get(store, job.id).status == "pending"
        queue_actions.resume(store, ANA, "", "BULK")
        assert ended(store, job.id).status == "completed"


def _queues(store: Store) -> dict[str, int]:
    with store.read() as conn:
        return queues.ids(conn)


def test_what_a_filter_means_is_told_before(store: Store) -> None:
    lost = failed(store, 3)
    create(store, 2, params='{"city": "Gouda"}')

    def told(text: str) -> Bulk:
        return actions.ask(store, ANA, "", STOP, text=text, dry_run=True)

    by_counters = told("status:failed")
    assert (by_counters.number, by_counters.more, by_counters.examples) == (3, False, lost)
    assert (told("Gouda").number, told("Gouda").more) == (2, False)
    assert told("flow:nothing").number == 0
    assert actions.ask(store, ANA, "", STOP, ids=[4, 4, 7], dry_run=True).number == 2
    with pytest.raises(Forbidden):
        actions.ask(store, EVE, "", STOP, ids=[4], dry_run=True)


def test_nobody_runs_or_configures_it_by_hand(store: Store) -> None:
    actions.start(store, ANA, "", STOP, ids=[1])
    with store.read() as conn:
        assert [flow.name for flow in flows.all(conn)] == ["weather"]
        with pytest.raises(NotFound):
            flows.target(conn, "jobdeck.bulk")
    with pytest.raises(InvalidValue):
        pipelines.register(store, ANA, "", [manifest("jobdeck.bulk")])
