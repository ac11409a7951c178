"""Pools and workers as others see them, heartbeats and leases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Progress
from jobdeck.store import leases, pipelines, pools
from jobdeck.store.claims import Begun, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.leases import Lease
from tests.store.world import START, manifest


def test_a_pool_lives_by_its_heartbeat(store: Store) -> None:
    with store.write() as conn:
        first = pools.open(conn, "here", 10, 4, [], START)
        second = pools.open(conn, "there", 11, 2, ["mail", "etl"], START)
        assert pools.beat(conn, first, START + 5, rss_kb=100)
        pools.set_asleep(conn, second, True)
        beats = {beat.id: beat for beat in pools.beats(conn)}
        assert (beats[first].beat, beats[second].beat) == (1, 0)
        assert (beats[second].host, beats[second].pid, beats[second].state) == (
            "there",
            11,
            "running",
        )
        shown = pools.get(conn, first)
        assert (shown.heartbeat_at, shown.rss_kb, shown.state) == (START + 5, 100, "running")
        assert pools.get(conn, second).queues == ["mail", "etl"]


def test_a_lost_pool_cannot_come_back(store: Store) -> None:
    with store.write() as conn:
        number = pools.open(conn, "here", 10, 4, [], START)
        assert pools.set_state(conn, number, "draining")
        assert pools.set_state(conn, number, "lost")
        assert not pools.set_state(conn, number, "running")
        assert not pools.beat(conn, number, START)
        assert [beat.state for beat in pools.beats(conn)] == ["lost"]
        pools.close(conn, number, START)
        assert not pools.beat(conn, number, START)
        assert (pools.beats(conn), pools.all(conn)) == ([], [])
        with pytest.raises(NotFound, match="may have ended"):
            pools.get(conn, number)
        assert pools.open(conn, "here", 10, 4, [], START) > number


def test_workers_show_what_they_run(store: Store) -> None:
    with store.write() as conn:
        pipelines.register(conn, manifest("mail"), START, publish=True)
        job, other = enqueue(conn, [NewJob(flow_id=1, queue_id=1)] * 2, START)
        pool = pools.open(conn, "here", 10, 2, [], START)
        busy = pools.add_worker(conn, pool, START)
        idle = pools.add_worker(conn, pool, START)
        pools.worker_ready(conn, busy, 77, 1234.5)
        taken = claim(conn, [(1, 1)], 2, pool, START)
        begin(conn, [Begun(job, taken[0].claim, busy, START + 9, 1, 1)])
        conn.exec_driver_sql("UPDATE running SET done = 3, total = 4, note = 'x'")
        assert pools.get(conn, pool).busy == 1
        shown, waiting = pools.list_workers(conn)
        assert pools.list_workers(conn, pool) == [shown, waiting]
        assert pools.list_workers(conn, pool + 1) == []
        assert (shown.id, shown.pid, shown.job, shown.job_name) == (busy, 77, job, "mail")
        assert shown.job_started_at == START + 9
        assert shown.progress == Progress(done=3, total=4, note="x")
        assert (waiting.id, waiting.job, waiting.progress) == (idle, None, None)
        assert pools.worker(conn, busy) == shown
        assert other != job
        pools.remove_worker(conn, idle)
        with pytest.raises(NotFound):
            pools.worker(conn, idle)
        pools.close(conn, pool, START)
        assert pools.list_workers(conn) == []


def test_a_lease_is_taken_over_and_dropped(store: Store) -> None:
    with store.write() as conn:
        assert leases.get(conn, "leader") is None
        leases.put(conn, "leader", "a", 1)
        leases.put(conn, "leader", "b", 2)
        assert leases.get(conn, "leader") == Lease("b", 2)
        assert not leases.drop(conn, "leader", "a")
        assert leases.drop(conn, "leader", "b")
        assert leases.get(conn, "leader") is None


def test_leaders_that_look_at_once_are_never_two(store: Store) -> None:
    """Each reads the lease and takes it if it is free, as a leader does."""

    def lead(owner: str) -> bool:
        with store.write() as conn:
            if leases.get(conn, "leader") is not None:
                return False
            leases.put(conn, "leader", owner, 1)
            return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lead, "abcd")) == 1
