"""A unique key belongs to one job while that is open, and until its time, whoever else tries."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import Duplicate
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.domain.uniqueness import Kept, Unique
from jobdeck.store import counters, jobs, orphans, pipelines, stops, unique_keys
from jobdeck.store.claims import READY, Begun, begin, claim
from jobdeck.store.cleanup import delete_jobs
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from tests.store.processes import finish as ended
from tests.store.processes import start
from tests.store.world import START, manifest

LANE = (1, 1)


@pytest.fixture(autouse=True)
def flow(store: Store) -> None:
    with store.write() as conn:
        pipelines.register(conn, manifest("mail"), START, publish=True)


def new(key: str = "a", *, keep: bool = False, until: int | None = None, **more: Any) -> NewJob:
    unique = Unique(key=f"flow:1:{key}", keep=keep, until=until)
    return NewJob(flow_id=1, queue_id=1, unique=unique, **more)


def create(store: Store, *wanted: NewJob, now: int = START) -> list[int]:
    with store.write() as conn:
        return enqueue(conn, wanted, now)


def end(conn: Connection, code: Code, *, now: int = START, **more: Any) -> int:
    """Claim the next job, let it begin, and end it so; gives its number."""
    (row,) = claim(conn, [LANE], 1, 1, now)
    begin(conn, [Begun(row.job_id, row.claim, 1, now, 1, 1)])
    same = {name: getattr(row, name) for name in READY}
    ending = Ending(**same, code=code, shown=True, began=True, finished_at=now, **more)
    assert finish(conn, [ending])
    return row.job_id


def total(store: Store) -> int:
    with store.read() as conn:
        return sum(counters.totals(conn).values())


def test_a_second_one_is_refused_and_leaves_nothing(store: Store) -> None:
    (first,) = create(store, new())
    with store.write() as conn:
        # Whatever else the transaction is for goes on.
        (other,) = enqueue(conn, [new("b")], START)
        with pytest.raises(Duplicate, match=f"Job {first} has the unique key 'a'") as caught:
            enqueue(conn, [new("c"), new("a")], START)
        assert "items[1].unique_key" in str(caught.value)
        assert caught.value.job == first
        enqueue(conn, [new("c")], START)
    assert total(store) == 3
    with store.read() as conn:
        assert jobs.get(conn, other).unique_key == "b"


def test_a_second_one_may_be_kept(store: Store) -> None:
    (first,) = create(store, new())
    (kept,) = create(store, new(keep=True))
    assert kept == first
    assert isinstance(kept, Kept)
    assert total(store) == 1


def test_a_list_tells_of_each(store: Store) -> None:
    (first,) = create(store, new("a"))
    free = NewJob(flow_id=1, queue_id=1)
    made = create(store, *(new(key, keep=True) for key in "bacab"), free, free)
    assert [isinstance(each, Kept) for each in made] == [
        False,
        True,
        False,
        True,
        True,
        False,
        False,
    ]
    assert made[1] == made[3] == first
    assert made[4] == made[0]
    with store.read() as conn:
        assert [jobs.get(conn, int(each)).unique_key for each in made] == [*"bacab", "", ""]
    with pytest.raises(Duplicate, match=r"items\[2\].unique_key: items\[0\] has"):
        create(store, new("x"), new("y"), new("x"))
    assert total(store) == 5


@pytest.mark.parametrize(
    "how", ["completed", "failed", "stopped", "stopped early", "forced", "deleted"]
)
def test_the_end_of_its_job_frees_it(store: Store, how: str) -> None:
    (first,) = create(store, new())
    with store.write() as conn:
        if how == "stopped early":
            stops.stop_waiting(conn, [first], reason=Reason.STOPPED, message="", now=START)
        elif how == "forced":
            (row,) = claim(conn, [LANE], 1, 1, START)
            begin(conn, [Begun(first, row.claim, 1, START, 1, 1)])
            assert stops.force(
                conn, first, code=Code.FAILED, reason=Reason.FORCED, message="", now=START
            )
        else:
            end(conn, Code[how.upper()] if how != "deleted" else Code.FAILED)
        if how == "deleted":
            assert delete_jobs(conn, [first]).job_ids == [first]
        # In the same transaction already.
        (second,) = enqueue(conn, [new()], START)
    assert second > first
    with pytest.raises(Duplicate):
        create(store, new())


def test_retrying_and_lost_jobs_keep_it(store: Store) -> None:
    (first,) = create(store, new())
    with store.write() as conn:
        end(conn, Code.RETRYING, run_at=START + SECOND)
    with pytest.raises(Duplicate):
        create(store, new())
    (second,) = create(store, new("b"))
    with store.write() as conn:
        claim(conn, [LANE], 1, 7, START)
        orphans.take_back(conn, 7, START)
    for key in "ab":
        with pytest.raises(Duplicate):
            create(store, new(key))
    with store.read() as conn:
        found = jobs.statuses(conn, [first, second])
    assert found == {first: Status.RETRYING, second: Status.PENDING}


def test_a_time_outlasts_its_job_and_its_job_the_time(store: Store) -> None:
    until = START + 60 * SECOND
    (first,) = create(store, new(until=until))
    with pytest.raises(Duplicate, match="has not ended"):
        create(store, new(), now=until + 1)
    with store.write() as conn:
        end(conn, Code.COMPLETED)
    with pytest.raises(Duplicate, match="until 20"):
        create(store, new(), now=until - 1)
    (second,) = create(store, new(), now=until)
    assert second > first


def test_a_retry_takes_it_again_or_is_refused(store: Store) -> None:
    (first,) = create(store, new())
    with store.write() as conn:
        end(conn, Code.FAILED)
    (second,) = create(store, new())
    refused = pytest.raises(Duplicate, match=f"Job {first} cannot be retried. Job {second} has")
    with refused, store.write() as conn:
        stops.reopen(conn, first, now=START)
    with store.write() as conn:
        assert end(conn, Code.FAILED) == second
        assert stops.reopen(conn, first, now=START)
    with pytest.raises(Duplicate) as caught:
        create(store, new())
    assert caught.value.job == first


def test_a_retry_keeps_the_time_of_its_own(store: Store) -> None:
    until = START + 60 * SECOND
    (first,) = create(store, new(until=until))
    with store.write() as conn:
        end(conn, Code.FAILED)
        assert stops.reopen(conn, first, now=START)
        end(conn, Code.COMPLETED)
    with pytest.raises(Duplicate):
        create(store, new(), now=until - 1)


def test_purging_removes_what_nobody_holds(store: Store) -> None:
    create(store, *(new(f"{n}") for n in range(30)))
    create(store, new("timed", until=START + SECOND))
    with store.write() as conn:
        for _ in range(10):
            end(conn, Code.COMPLETED)
    gone, after = 0, ""
    while True:
        with store.write() as conn:
            removed, after = unique_keys.purge(conn, START, after, limit=7)
        gone += removed
        if not after:
            break
    assert gone == 10
    with store.read() as conn:
        left = conn.exec_driver_sql("SELECT count(*) FROM unique_keys").scalar_one()
    assert left == 21


def test_threads_that_race_make_one_open_job_a_key(store: Store) -> None:
    """Each creates, ends and retries jobs of few keys; no two are ever open with the same."""

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(25):
            keys = dice.sample("abcd", dice.randrange(1, 4))
            with suppress(Duplicate):
                create(store, *(new(key, keep=dice.random() < 0.5) for key in keys))
            with store.write() as conn:
                for row in claim(conn, [LANE], 1, 1, START):
                    same = {name: getattr(row, name) for name in READY}
                    code = dice.choice((Code.COMPLETED, Code.FAILED))
                    finish(
                        conn,
                        [Ending(**same, code=code, shown=False, began=True, finished_at=START)],
                    )
            with suppress(Duplicate), store.write() as conn:
                failed = "SELECT job_id FROM unsuccessful ORDER BY job_id DESC LIMIT 1"
                found = conn.exec_driver_sql(failed).scalar()
                if found:
                    stops.reopen(conn, found, now=START)
            with store.write() as conn:
                unique_keys.purge(conn, START)
            _check(store)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))


def _check(store: Store) -> None:
    with store.read() as conn:
        twice = conn.exec_driver_sql(
            "SELECT unique_key, count(*) FROM jobs WHERE status = 0 "
            "GROUP BY unique_key HAVING count(*) > 1"
        ).fetchall()
        astray = conn.exec_driver_sql(
            "SELECT id FROM jobs WHERE status = 0 AND NOT EXISTS "
            "(SELECT 1 FROM unique_keys k WHERE k.key = jobs.unique_key AND k.job_id = jobs.id)"
        ).fetchall()
    assert (twice, astray) == ([], [])


_PROCESS = """
import sys
from jobdeck.domain.uniqueness import Unique
from jobdeck.domain.errors import Duplicate
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
store = Store(sys.argv[1])
made = 0
for n in range(60):
    try:
        with store.write() as conn:
            enqueue(conn, [NewJob(flow_id=1, queue_id=1, unique=Unique(key=f"flow:1:{n}"))], 1)
        made += 1
    except Duplicate:
        pass
print(made)
"""


def test_processes_that_race_make_one_job_a_key(store: Store, store_url: str) -> None:
    processes = [start(_PROCESS, store_url) for _ in range(3)]
    assert sum(int(ended(process)) for process in processes) == 60
    assert total(store) == 60
