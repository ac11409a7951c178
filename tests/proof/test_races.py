"""What happens when two things happen at once: each of these was wrong once."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from jobdeck.actions import jobs as asked
from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import StoreUnreachable
from jobdeck.domain.rates import Rate
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.engine.calls import answer
from jobdeck.engine.doubt import Doubt, settle
from jobdeck.engine.inbox import Inbox
from jobdeck.engine.maintenance import Maintenance
from jobdeck.engine.options import PoolOptions
from jobdeck.engine.pool import Pool
from jobdeck.engine.reaper import Reaper
from jobdeck.engine.steady import SteadyClock
from jobdeck.store import (
    attempts,
    counters,
    flows,
    jobs,
    parents,
    pools,
    signals,
    steps,
    stops,
)
from jobdeck.store.claims import Claimed
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.steps import StepRow
from jobdeck.store.transactions import Fate, begun_below, fate
from jobdeck.worker.protocol import Call, Reply
from tests.integration.hands import ANA, Hands, define


@pytest.fixture
def hands(store: Store) -> Hands:
    define(store, "weather")
    return Hands(store)


def new(store: Store, many: int = 1) -> list[int]:
    with store.write() as conn:
        target = flows.target(conn, "weather")
        job = NewJob(flow_id=target.flow_id, queue_id=target.queue_id)
        return enqueue(conn, [job] * many, clock.now())


def job(store: Store, job_id: int) -> Job:
    with store.read() as conn:
        return jobs.get(conn, job_id)


def totals(store: Store) -> dict[Status, int]:
    with store.read() as conn:
        return {status: n for status, n in counters.totals(conn).items() if n}


def ending(row: Claimed, code: Code, *, began: bool = True, shown: bool = True) -> Ending:
    now = clock.now()
    return Ending(
        *row[:7],
        code=code,
        shown=shown,
        began=began,
        finished_at=now,
        started_at=now if began else None,
        run_at=now + SECOND if code == Code.RETRYING else None,
        reason=Reason.ERROR,
        parent_id=row.parent_id,
    )


@pytest.mark.parametrize("code", [Code.RETRYING, Code.PENDING])
def test_a_stop_that_the_pool_has_not_heard_of_is_not_forgotten(
    store: Store, hands: Hands, code: Code
) -> None:
    """The job fails, or loses its worker, between the request and the pool's next look."""
    [job_id] = new(store)
    [row] = hands.take()
    hands.begin(row)
    asked.kill(store, ANA, "wrong city", job_id)
    with store.write() as conn:
        finish(conn, [ending(row, code)])
    found = job(store, job_id)
    assert (found.status, found.reason, found.message) == (
        Status.STOPPED,
        Reason.KILLED,
        "wrong city",
    )
    assert totals(store) == {Status.STOPPED: 1}


def test_a_stop_of_a_job_that_goes_back_untouched_is_not_forgotten(
    store: Store, hands: Hands
) -> None:
    [job_id] = new(store)
    [row] = hands.take()
    asked.stop(store, ANA, "", job_id)
    with store.write() as conn:
        finish(conn, [ending(row, Code.PENDING, began=False, shown=False)])
    found = job(store, job_id)
    assert (found.status, found.attempt, found.started_at) == (Status.STOPPED, 0, None)


def parked_parent(store: Store, hands: Hands) -> int:
    """A job that waits for its child."""
    [parent_id] = new(store)
    [parent] = hands.take()
    hands.begin(parent)
    now = clock.now()
    step = StepRow(
        job_id=parent_id,
        position=0,
        name="extract",
        attempt=1,
        claim=parent.claim,
        status="completed",
        started_at=now,
    )
    with store.write() as conn:
        steps.save(conn, [step])
        target = flows.target(conn, "weather")
        child = NewJob(flow_id=target.flow_id, queue_id=target.queue_id, parent_id=parent_id)
        parents.add_children(conn, parent_id, "extract", 0, [child], now)
        finish(conn, [ending(parent, Code.RUNNING)])
    return parent_id


@pytest.mark.parametrize("woken", [True, False])
def test_a_parent_stopped_before_its_next_step_keeps_its_attempt(
    store: Store, hands: Hands, woken: bool
) -> None:
    """Its child has ended, or it still waits for it."""
    parent_id = parked_parent(store, hands)
    if woken:
        hands.run()
    assert job(store, parent_id).status == (Status.PENDING if woken else Status.RUNNING)
    asked.stop(store, ANA, "", parent_id)
    found = job(store, parent_id)
    assert (found.status, found.attempt) == (Status.STOPPED, 1)
    assert found.started_at is not None
    asked.retry(store, ANA, "", parent_id)
    with store.read() as conn:
        assert [a.attempt for a in attempts.of_job(conn, jobs.get(conn, parent_id))] == [1]
    [row] = hands.take()
    assert row.attempt == 2


MOVES: dict[str, Callable[[Store, Hands, Claimed], None]] = {}


def move(function: Callable[[Store, Hands, Claimed], None]) -> None:
    MOVES[function.__name__.strip("_")] = function


@move
def _given_back(store: Store, hands: Hands, row: Claimed) -> None:
    with store.write() as conn:
        finish(conn, [ending(row, Code.PENDING, began=False, shown=False)])


@move
def _failed_for_now(store: Store, hands: Hands, row: Claimed) -> None:
    with store.write() as conn:
        finish(conn, [ending(row, Code.RETRYING, shown=False)])


@pytest.mark.parametrize("database", ["postgres"])
@pytest.mark.parametrize("moved", MOVES)
def test_a_stop_finds_a_job_that_moves_meanwhile(
    store: Store, hands: Hands, moved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL a stop looks into one place after the other, and others commit between."""
    [job_id] = new(store)
    [row] = hands.take()
    request = stops.request_stop

    def late(*args: object, **kwargs: object) -> list[int]:
        monkeypatch.setattr(stops, "request_stop", request)
        MOVES[moved](store, hands, row)
        return request(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(stops, "request_stop", late)
    assert asked.stop(store, ANA, "", job_id).status == Status.STOPPED
    assert job(store, job_id).status == Status.STOPPED


def test_jobs_of_a_pool_that_commits_after_its_burial_are_given_back(
    store: Store, hands: Hands
) -> None:
    """It was frozen within a transaction for longer than its lease."""
    [job_id] = new(store)
    hands.take()
    with store.write() as conn:
        pools.close(conn, hands.pool, clock.now())
    Reaper(store).reap()
    assert job(store, job_id).status == Status.PENDING
    [row] = Hands(store).take()
    assert (row.job_id, row.attempt) == (job_id, 1)


@pytest.mark.parametrize("database", ["postgres"])
@pytest.mark.parametrize("straight", [False, True], ids=["sqlalchemy", "driver"])
def test_a_transaction_of_a_frozen_process_lets_go_of_its_locks(
    store: Store, hands: Hands, monkeypatch: pytest.MonkeyPatch, straight: bool
) -> None:
    monkeypatch.setattr("jobdeck.store.database.IDLE_TRANSACTION_S", 0.3)
    frozen = Store(store.address)

    def freeze() -> None:
        with frozen.write() as conn:
            pools.beat(conn, hands.pool, clock.now())
            with store.write() as other:
                assert pools.set_state(other, hands.pool, pools.LOST)
            counters.lanes(conn) if straight else counters.totals(conn)

    with pytest.raises(StoreUnreachable, match="rested for too long"):
        freeze()
    frozen.close()


def test_what_an_unconfirmed_transaction_did_is_found_out(store: Store, hands: Hands) -> None:
    """The connection broke while the commit was answered: it claimed two jobs that no worker was
    handed, and showed one as running whose end comes next."""
    ids = new(store, 3)
    first, *_ = hands.take(1)
    hands.begin(first)
    assert len(hands.take()) == 2
    inbox = Inbox()
    inbox.endings.append(ending(first, Code.COMPLETED, shown=False))
    with store.write() as conn:
        settle(conn, hands.pool, [], inbox, clock.now())
        finish(conn, inbox.endings)
    assert totals(store) == {Status.COMPLETED: 1, Status.PENDING: 2}
    assert [(row.job_id, row.attempt) for row in hands.take()] == [(ids[1], 1), (ids[2], 1)]


ITEM = {"flow": "weather", "params": {"city": "Rome"}}


@pytest.mark.parametrize("database", ["postgres"])
def test_a_commit_that_nobody_confirmed_is_called_so(store: Store) -> None:
    def cut() -> None:
        with store.write() as conn:
            pid = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with store.read() as other:
                other.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    with pytest.raises(StoreUnreachable, match="is not known: look before"):
        cut()


class Asker:
    """Stands for the worker of a job that asks for another one."""

    def __init__(self, row: Claimed) -> None:
        self.handed: list[Any] = []
        self.heard: list[Reply] = []
        self.send = self.heard.append
        self.job = SimpleNamespace(claimed=row)
        self.call = Call(row.job_id, row.claim, 1, "enqueue", {"items": [ITEM]})


@pytest.mark.parametrize("database", ["postgres"])
@pytest.mark.parametrize("became", ["committed", "aborted", "open"])
def test_what_a_job_asked_for_is_done_once_though_nobody_confirmed_it(
    store: Store, hands: Hands, became: str
) -> None:
    new(store)
    [row] = hands.take()
    asker: Any = Asker(row)
    inbox, doubt = Inbox(), Doubt()
    inbox.calls.append((asker, asker.call))
    with contextlib.ExitStack() as stack:
        conn = stack.enter_context(store.write())
        reply = answer(conn, asker.job, asker.call, clock.now())
        assert not reply.error
        doubt.note(signals.read(conn, hands.pool, 0).transaction, 1, [(asker, reply)])
        if became == "committed":
            stack.close()
        elif became == "aborted":
            conn.rollback()
        with store.write() as other:
            if became == "open":
                with pytest.raises(StoreUnreachable, match="has not ended"):
                    doubt.settle(other, hands.pool, [asker], inbox, clock.now())
            else:
                doubt.settle(other, hands.pool, [asker], inbox, clock.now())
    assert (asker.heard, inbox.calls) == (
        ([reply], []) if became == "committed" else ([], [(asker, asker.call)])
    )


@pytest.mark.parametrize("database", ["postgres"])
def test_a_transaction_that_a_failover_has_lost_is_aborted(store: Store) -> None:
    with store.read() as conn:
        assert fate(conn, begun_below(conn) + 1000) == Fate.ABORTED


def test_a_rate_does_not_wait_for_a_clock_that_was_set_back() -> None:
    rate = Rate(10, 60.0)
    later = 10**15
    state = rate.after(None, later, 10)
    assert rate.free(state, later) == 0
    hour = 3600 * SECOND
    assert rate.free(state, later - hour) == 10
    assert rate.after(state, later - hour, 1) == later - hour + rate.interval
    assert rate.next_free(state, later - hour) == later - hour


def test_a_clock_that_is_set_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = SteadyClock()
    assert steady.moved() == 0
    real = clock.now
    hour = 3600 * SECOND
    monkeypatch.setattr(clock, "now", lambda: real() - hour)
    assert steady.moved() == pytest.approx(-hour, abs=60 * SECOND)
    assert steady.moved() == 0


def test_a_live_pool_is_not_buried_because_the_clock_was_set(store: Store) -> None:
    """What the system tells of a process's start moves with its clock."""
    with store.write() as conn:
        started = clock.now() - 3600 * SECOND
        pool = pools.open(conn, socket.gethostname(), os.getpid(), 1, [], started)
    reaper = Reaper(store)
    assert reaper.reap() == 0
    with store.write() as conn:
        assert pools.beat(conn, pool, clock.now())
    assert reaper.reap() == 0


def test_a_live_pool_is_not_buried_because_the_store_was_away(
    store: Store, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than its lease it could not tell that it lives."""
    maintenance = Maintenance(store)
    reaper = maintenance.reaper = Reaper(store, lease_s=0.05)
    maintenance.turn()
    time.sleep(0.1)
    with monkeypatch.context() as away:
        away.setattr(Reaper, "reap", unreachable)
        maintenance.turn()
    maintenance.turn()
    with store.write() as conn:
        assert pools.beat(conn, hands.pool, clock.now())
    time.sleep(0.1)
    assert reaper.reap() == 0
    time.sleep(0.1)
    assert reaper.reap() == 1


def test_a_pool_told_to_end_while_the_store_is_away_drains(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(store, PoolOptions(target="nothing", workers=0))
    pool._told.end = True
    monkeypatch.setattr(store, "write", unreachable)
    assert pool._finished()
    assert pool._end_by is not None


def unreachable(*_: object) -> int:
    raise StoreUnreachable("away")
