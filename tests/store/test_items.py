"""A flow takes each item once: claims, what becomes of them with their job, and forgetting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.states import Code
from jobdeck.store import items, pipelines, stops
from jobdeck.store.claims import READY, claim
from jobdeck.store.cleanup import delete_jobs
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from tests.store.world import START, manifest

UNTIL = START + 3600 * SECOND


@pytest.fixture(autouse=True)
def flow(store: Store) -> None:
    with store.write() as conn:
        pipelines.register(conn, manifest("mail"), START, publish=True)


def start(store: Store) -> int:
    """A job in the hands of a pool."""
    with store.write() as conn:
        enqueue(conn, [NewJob(flow_id=1, queue_id=1)], START)
        (row,) = claim(conn, [(1, 1)], 1, 1, START)
    return row.job_id


def end(store: Store, job: int, code: Code, now: int = START) -> None:
    with store.write() as conn:
        sql = f"SELECT {', '.join(READY)} FROM running WHERE job_id = {job}"
        same = dict(zip(READY, conn.exec_driver_sql(sql).one(), strict=True))
        ending = Ending(**same, code=code, shown=False, began=True, finished_at=now, run_at=now)
        assert finish(conn, [ending])


def take(
    store: Store, job: int, *keys: str, source: str = "", now: int = START, flow: int = 1
) -> str:
    with store.write() as conn:
        place = items.Place(flow, source, job)
        return "".join(sorted(items.claim(conn, place, keys, now, now + UNTIL - START)))


def states(store: Store, now: int = START) -> dict[str, str]:
    with store.read() as conn:
        found = items.find(conn, 1, now).items
    return {each.item: each.state for each in found}


def settle(store: Store, now: int = START) -> None:
    after: int | None = 0
    while after is not None:
        with store.write() as conn:
            after = items.settle(conn, now, after, limit=2)


def test_nobody_else_gets_what_is_claimed(store: Store) -> None:
    one, two = start(store), start(store)
    assert take(store, one, "a", "b") == "ab"
    assert take(store, two, "a", "b", "c") == "c"
    # A frame that comes twice, or another attempt of the job, finds its own.
    assert take(store, one, "b", "c", "d") == "bd"
    assert take(store, two, "a", source="other") == "a"
    assert take(store, two, "a", flow=2) == "a"
    # A claim that has expired is anybody's.
    assert take(store, two, "a", now=UNTIL) == "a"
    assert take(store, one, "a", now=UNTIL) == ""


@pytest.mark.parametrize("settled", [False, True])
def test_what_becomes_of_claims_with_their_job(store: Store, settled: bool) -> None:
    good, bad, gone = start(store), start(store), start(store)
    for job, keys in ((good, "abc"), (bad, "def"), (gone, "ghi")):
        take(store, job, *keys)
    end(store, good, Code.COMPLETED)
    end(store, bad, Code.FAILED)
    end(store, gone, Code.STOPPED)
    assert states(store) == dict.fromkeys("abc", "processed") | dict.fromkeys("defghi", "released")
    if settled:
        settle(store, UNTIL)
        assert states(store) == dict.fromkeys("abc", "processed")
    with store.write() as conn:
        assert items.seen(conn, items.Place(1, "", 0), ["a", "d", "x"]) == {"a"}
        assert len(delete_jobs(conn, [good, bad]).job_ids) == 2
    assert take(store, start(store), *"abcdefghi") == "defghi"


def test_a_retry_finds_what_its_job_had_claimed(store: Store) -> None:
    job = start(store)
    take(store, job, "a")
    end(store, job, Code.RETRYING)
    assert take(store, start(store), "a") == ""
    other, third = start(store), start(store)
    take(store, other, "b")
    end(store, other, Code.FAILED)
    settle(store, START)
    with store.write() as conn:
        assert stops.reopen(conn, other, now=START)
    assert take(store, third, "b") == ""
    assert states(store)["b"] == "claimed"


def test_a_retry_may_take_what_another_job_had_put_off(store: Store) -> None:
    first, second = start(store), start(store)
    take(store, first, "a")
    with store.write() as conn:
        items.defer(conn, items.Place(1, "", first), ["a"], START)
    assert take(store, second, "a") == "a"
    end(store, second, Code.FAILED)
    settle(store, UNTIL)
    with store.write() as conn:
        assert stops.reopen(conn, second, now=UNTIL)
    assert take(store, second, "a", now=UNTIL) == "a"


def test_an_item_is_put_off_three_times(store: Store) -> None:
    for n in range(4):
        job = start(store)
        assert take(store, job, "a") == "a"
        with store.write() as conn:
            items.defer(conn, items.Place(1, "", job), ["a", "never claimed"], START)
        # Not by the same job again.
        assert take(store, job, "a") == ""
        assert states(store) == {"a": "deferred" if n < 3 else "processed"}
        end(store, job, Code.COMPLETED)
    assert take(store, start(store), "a") == ""


def test_giving_back_keeps_what_was_put_off(store: Store) -> None:
    first, second = start(store), start(store)
    take(store, first, "a", "b")
    place = items.Place(1, "", first)
    with store.write() as conn:
        items.defer(conn, place, ["a"], START)
    take(store, second, "a")
    with store.write() as conn:
        items.release(conn, place, ["a", "b"], START)
        items.release(conn, items.Place(1, "", second), ["a"], START)
    assert states(store) == {"a": "deferred"}
    assert take(store, second, "a", "b") == "ab"
    end(store, second, Code.FAILED)
    assert states(store)["a"] == "deferred"
    settle(store, UNTIL)
    assert states(store) == {"a": "deferred"}


def test_processing_at_once_outlives_the_job(store: Store) -> None:
    job = start(store)
    take(store, job, "a", "b")
    with store.write() as conn:
        items.process(conn, items.Place(1, "", job), ["a", "new"], START)
    end(store, job, Code.FAILED)
    assert take(store, start(store), "a", "b", "new") == "b"


def test_items_that_are_no_longer_seen_are_forgotten(store: Store) -> None:
    job = start(store)
    with store.write() as conn:
        items.process(conn, items.Place(1, "", job), ["a", "b"], START)
    later = START + items.KEEP - items.DAY
    take(store, start(store), "a", now=later)
    with store.write() as conn:
        assert items.purge(conn, START + items.KEEP - 1) == 0
        assert items.purge(conn, START + items.KEEP) == 1
    assert states(store) == {"a": "processed"}


def test_lists_counts_and_forgetting(store: Store) -> None:
    job = start(store)
    with store.write() as conn:
        for source in ("", "x"):
            items.process(conn, items.Place(1, source, job), [f"{n:02}" for n in range(12)], START)
    take(store, job, "claimed")
    with store.read() as conn:
        assert items.count(conn, 1, START) == (
            {"claimed": 1, "deferred": 0, "processed": 24, "released": 0},
            False,
        )
        found, cursor = [], None
        while True:
            page = items.find(conn, 1, START, state="processed", limit=5, cursor=cursor)
            found += [(each.source, each.item) for each in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert found == [(source, f"{n:02}") for source in ("", "x") for n in range(12)]
        assert len(items.find(conn, 1, START, source="x").items) == 12
        for whose in (1, None):
            assert items.find(conn, whose, START, job=job, source="x", item="03").items
            first = items.find(conn, whose, START, job=job, limit=13)
            rest = items.find(conn, whose, START, job=job, cursor=first.next)
            assert [each.item for each in rest.items] == [f"{n:02}" for n in range(12)]
            assert items.count(conn, whose, START, job=job) == items.count(conn, 1, START)
            for other in (job + 1, 0, 2**80):
                assert not items.find(conn, whose, START, job=other).items
        assert not items.find(conn, 2, START, job=job).items
        (one,) = items.find(conn, 1, START, item="claimed").items
        assert (one.state, one.job, one.expires_at) == ("claimed", job, UNTIL)
        with pytest.raises(InvalidValue):
            items.find(conn, 1, START, cursor="nonsense")
    with store.write() as conn:
        assert items.forget(conn, 1, source="", item="03") == 1
        assert items.forget(conn, 1, source="x", item="", limit=10) == 10
        assert items.forget(conn, 1, source=None, item="") == 14
    assert states(store) == {}


def test_jobs_that_race_take_each_item_once(store: Store) -> None:
    keys = [f"{n:03}" for n in range(60)]
    jobs = [start(store) for _ in range(4)]

    def work(job: int) -> set[str]:
        taken: set[str] = set()
        for at in range(0, 60, 7):
            with store.write() as conn:
                taken |= items.claim(
                    conn, items.Place(1, "", job), keys[at : at + 10], START, UNTIL
                )
        return taken

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(work, jobs))
    assert sorted(key for share in shares for key in share) == keys
