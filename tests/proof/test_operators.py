"""Operators and pools who want different things of the same jobs at the same moment."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from jobdeck.actions import bulk
from jobdeck.actions import jobs as asked
from jobdeck.domain import clock
from jobdeck.domain.bulk import Order
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import NotFound, StoreUnreachable, WrongState
from jobdeck.domain.states import Code
from jobdeck.store import cleanup, flows, schedules
from jobdeck.store import tables as t
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.failures import is_deadlock
from tests.integration.hands import ANA, Hands, define
from tests.integration.launched import until

JOBS = 40
Deed = Callable[[list[int]], object]
T = TypeVar("T")


def deeds(store: Store) -> dict[str, Deed]:
    """What each of them does to some jobs, again and again."""
    return {
        "retry": lambda ids: asked.retry(store, ANA, "", ids[0]),
        "retry too": lambda ids: asked.retry(store, ANA, "", ids[0], from_="start"),
        "stop": lambda ids: asked.stop(store, ANA, "", ids[0]),
        "delete": lambda ids: asked.delete(store, ANA, "", ids[0]),
        "retry many": lambda ids: bulk.few(store, ANA, "", Order(action="retry"), ids),
        "stop many": lambda ids: bulk.few(store, ANA, "", Order(action="stop"), ids),
        "move many": lambda ids: bulk.few(store, ANA, "", Order(action="move", queue="q"), ids),
        "clean up": lambda ids: _clean_up(store, ids[:1]),
    }


def _clean_up(store: Store, ids: list[int]) -> None:
    def delete() -> None:
        with store.write() as conn:
            cleanup.delete_jobs(conn, ids)

    again(delete)


def again(do: Callable[[], T]) -> T:
    """What pools and Jobdeck's own work do again if PostgreSQL ended their transaction because it
    and another one waited for each other."""
    while True:
        try:
            return do()
        except StoreUnreachable as error:
            if not is_deadlock(error.__cause__ or error):
                raise


def test_who_wants_different_things_of_the_same_jobs_gets_one_or_the_other(store: Store) -> None:
    define(store, "weather")
    with store.write() as conn:
        target = flows.target(conn, "weather")
        new = NewJob(flow_id=target.flow_id, queue_id=target.queue_id)
        ids = enqueue(conn, [new] * JOBS, clock.now())
        conn.execute(t.queues.insert().values(name="q", builtin=False))
    Hands(store).run(Code.FAILED)
    wrong: list[BaseException] = []
    start = threading.Barrier(len(deeds(store)) + 1)

    def ask(deed: Deed, seed: int) -> None:
        dice = random.Random(seed)
        start.wait()
        for _ in range(25):
            try:
                deed(dice.sample(ids, 6))
            except (WrongState, NotFound):
                pass
            except BaseException as error:
                wrong.append(error)

    def work() -> None:
        hands = Hands(store)
        start.wait()
        try:
            for code in (Code.FAILED, Code.FAILED, Code.COMPLETED, Code.FAILED):
                for row in again(lambda: hands.take(10)):
                    again(partial(hands.begin, row))
                    again(partial(hands.end, row, code))
        except BaseException as error:
            wrong.append(error)

    threads = [
        threading.Thread(target=ask, args=(deed, seed))
        for seed, deed in enumerate(deeds(store).values())
    ]
    threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong
    check(store)


def check(store: Store) -> None:
    """Every open job is in one place, no other is in any, and the counters equal the rows."""
    with store.read() as conn:
        own = {row.id: row for row in conn.execute(select(t.jobs))}
        places = Counter(
            job_id
            for table in (t.ready, t.running, t.delayed)
            for job_id in conn.execute(select(table.c.job_id)).scalars()
        )
        unsuccessful = set(conn.execute(select(t.unsuccessful.c.job_id)).scalars())
        c = t.counters.c
        sums = select(c.status, c.queue_id, func.sum(c.n)).group_by(c.status, c.queue_id)
        counted = {tuple(row[:2]): int(row[2]) for row in conn.execute(sums) if row[2]}
        v = t.volume.c
        ended = select(v.status, func.sum(v.n)).where(v.span == 600).group_by(v.status)
        volume = {row[0]: int(row[1]) for row in conn.execute(ended) if row[1]}
        grouped = int(conn.execute(select(func.sum(t.error_groups.c.jobs))).scalar() or 0)
    open_ = {number for number, row in own.items() if row.status == Code.OPEN}
    assert places == Counter(open_)
    assert unsuccessful == {n for n in own if own[n].status in (Code.FAILED, Code.STOPPED)}
    status = {n: Code.PENDING if n in open_ else Code(own[n].status) for n in own}
    assert counted == dict(Counter((int(status[n]), own[n].queue_id) for n in own))
    assert volume == dict(Counter(int(status[n]) for n in own if n not in open_))
    assert grouped == sum(row.status == Code.FAILED for row in own.values())


@pytest.mark.parametrize("database", ["postgres"])
@pytest.mark.parametrize("how", ["resumed", "held"])
def test_a_schedule_that_is_edited_meanwhile_ticks_by_its_new_times(store: Store, how: str) -> None:
    define(store, "weather")
    now = clock.now()
    later = now + 600 * SECOND
    with store.write() as conn:
        made = schedules.create(conn, flow="weather", interval_s=60.0, misfire="skip", now=now)
        if how == "resumed":
            schedules.pause(conn, made.id, by="ana", reason="", now=now)

    def other() -> None:
        with store.write() as conn:
            if how == "resumed":
                schedules.resume(conn, made.id, later)
            else:
                schedules.drop_missed(conn, later)

    def waits() -> bool:
        with store.read() as conn:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return bool(conn.exec_driver_sql(query).scalar())

    thread = threading.Thread(target=other)
    with store.write() as conn:
        schedules.edit(conn, made.id, {"interval_s": 7200.0}, later)
        thread.start()
        until(waits, "the other one to wait")
    thread.join()
    with store.read() as conn:
        assert schedules.get(conn, made.id).next_at == now + 7200 * SECOND
