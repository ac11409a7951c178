"""What goes wrong around Jobdeck: it waits, says so, and goes on by itself; no job is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from jobdeck.domain import clock
from jobdeck.domain.errors import StoreError
from jobdeck.domain.states import Status
from jobdeck.engine.reaper import Reaper
from jobdeck.store import counters, delays, flows, orphans, parents, pools, steps
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from tests.integration.engine.harness import HOLD, Deck, wait_for
from tests.integration.hands import Hands
from tests.stores import Cluster

CODE = """
    import os, time

    @job(timeout="60s")
    def nap(seconds: float = 0.0) -> int:
        time.sleep(seconds)
        return 1

    @job
    def mark(ctx: Context, path: str) -> None:
        with open(path, "a") as file:
            file.write(f"{ctx.job_id}\\n")
        time.sleep(0.01)
"""
TIMED = HOLD.replace("@job", '@job(timeout="60s")').replace("def hold", "def timed")
# Stands for the system's clock in every process that is started with it.
CLOCK = """
import os, time
_real, _path = time.time_ns, os.environ["TEST_CLOCK"]
def _now():
    with open(_path) as file:
        return _real() + int(file.read() or 0) * 10**9
time.time_ns = _now
time.time = lambda: _now() / 1e9
"""
sqlite_only = pytest.mark.parametrize("database", ["sqlite"])
postgres_only = pytest.mark.parametrize("database", ["postgres"])


def totals(store: Store) -> dict[Status, int]:
    with store.read() as conn:
        return {status: n for status, n in counters.totals(conn).items() if n}


def check_counters(store: Store) -> None:
    """They equal the rows, none of which is open any more."""
    with store.read() as conn:
        rows = Counter(conn.execute(text("SELECT status FROM jobs")).scalars())
        assert {int(code): n for code, n in rows.items()} == {
            int(row[0]): int(row[1])
            for row in conn.execute(
                text("SELECT status, sum(n) FROM counters GROUP BY status HAVING sum(n) <> 0")
            )
        }
        for table in ("ready", "running", "delayed"):
            assert conn.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0


def all_done(store: Store, many: int) -> bool:
    try:
        return totals(store) == {Status.COMPLETED: many}
    except StoreError:
        return False


# -- the clock -----------------------------------------------------------------------------


@sqlite_only
def test_a_clock_set_forward_and_back_by_hours(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    """No job times out, no pool is lost, nothing waits for the clock to come round."""
    offset = deck.folder / "offset"
    (deck.folder / "sitecustomize.py").write_text(CLOCK)
    monkeypatch.setenv("PYTHONPATH", str(deck.folder))
    monkeypatch.setenv("TEST_CLOCK", str(offset))

    def set_clock(hours: int) -> None:
        new = offset.with_suffix(".new")
        new.write_text(str(hours * 3600))
        new.replace(offset)

    set_clock(0)
    deck.define(CODE + TIMED)
    deck.start_maintenance()
    pool = deck.start_pool(workers=1)
    for hours in (3, -3):
        deck.flag.unlink(missing_ok=True)
        [running] = deck.hold(1, "timed")
        deck.wait(running, Status.RUNNING)
        set_clock(hours)
        [after] = deck.enqueue("nap")
        deck.let_go()
        assert deck.wait(running).status == Status.COMPLETED
        assert deck.wait(after).status == Status.COMPLETED
        [stopped] = deck.enqueue("nap", seconds=50)
        deck.wait(stopped, Status.RUNNING)
        number, beat = _beat(deck, pool.pid)
        deck.request_stop(stopped, "kill")
        assert deck.wait(stopped).status == Status.STOPPED
        wait_for("a heartbeat", lambda: _beat(deck, pool.pid)[1] > beat)  # noqa: B023
        for job_id in (running, after, stopped):
            job = deck.job(job_id)
            assert (job.pool, job.losses) == (number, 0)
            assert (job.finished_at or 0) >= (job.started_at or 0)


def _beat(deck: Deck, pid: int) -> tuple[int, int]:
    with deck.store.read() as conn:
        [own] = [each for each in pools.beats(conn) if each.pid == pid]
    assert own.state == "running"
    return own.id, own.beat


# -- pools ---------------------------------------------------------------------------------


def test_a_pool_frozen_past_its_lease_and_woken(deck: Deck) -> None:
    """Its worker completes the job meanwhile: that report comes too late and changes nothing."""
    deck.define(CODE + HOLD)
    marks = deck.folder / "marks"
    frozen = deck.start_pool(workers=1)
    [job_id] = deck.hold()
    deck.wait(job_id, Status.RUNNING)
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        deck.let_go()
        reaper = Reaper(deck.store, lease_s=1.2)
        wait_for("the end of the lease", reaper.reap)
        deck.start_pool(workers=1)
        job = deck.wait(job_id)
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    assert (job.status, job.attempt, job.losses) == (Status.COMPLETED, 2, 1)
    wait_for("its return", lambda: _running_pools(deck) == [2, 3])
    ids = [deck.enqueue("mark", path=str(marks))[0] for _ in range(10)]
    for each in ids:
        assert deck.wait(each).status == Status.COMPLETED
    assert deck.job(job_id) == job
    assert sorted(map(int, marks.read_text().split())) == ids
    check_counters(deck.store)


FAMILY = """
    family = Pipeline("family")

    @family.step
    def split(ctx: Context, flag: str = "") -> None:
        ctx.map("hold" if flag else "nap", [{"flag": flag} if flag else {}] * 2)

    @family.step
    def gather(ctx: Context) -> list[str]:
        return [child.status for child in ctx.children()]
"""


def test_a_parent_whose_pool_died_waits_for_its_children(deck: Deck) -> None:
    """It had reported the step that made them, but not yet that it waits."""
    deck.define(CODE + FAMILY)
    now = clock.now()
    hands = Hands(deck.store)
    [parent] = deck.enqueue("family")
    [row] = hands.take()
    hands.begin(row)
    split = steps.StepRow(
        job_id=parent, position=0, name="split", attempt=1, claim=row.claim, status="completed",
        started_at=now,
    )  # fmt: skip
    with deck.store.write() as conn:
        steps.save(conn, [split])
        nap = flows.target(conn, "nap")
        child = NewJob(
            flow_id=nap.flow_id, queue_id=nap.queue_id, params="{}", parent_id=parent,
            run_at=now + 3600 * clock.SECOND,
        )  # fmt: skip
        children = parents.add_children(conn, parent, "split", 0, [child, child], now)
        orphans.take_back(conn, hands.pool, now)
        pools.close(conn, hands.pool, now)
    deck.start_pool(workers=1)
    deck.wait(parent, Status.RUNNING, Status.COMPLETED)
    [after] = deck.enqueue("nap")
    deck.wait(after)
    assert deck.job(parent).status == Status.RUNNING
    with deck.store.write(wake=True) as conn:
        assert len(delays.promote_these(conn, children)) == 2
    job = deck.wait(parent)
    assert (job.status, job.attempt, job.losses) == (Status.COMPLETED, 2, 1)
    assert job.result == ["completed", "completed"]
    check_counters(deck.store)


def _running_pools(deck: Deck) -> list[int]:
    with deck.store.read() as conn:
        return [pool.id for pool in pools.all(conn) if pool.state == "running"]


# -- the store -----------------------------------------------------------------------------


@sqlite_only
def test_a_database_locked_by_another_process_for_seconds(deck: Deck) -> None:
    deck.define(CODE)
    deck.start_pool(workers=2)
    ids = deck.enqueue("nap", 20, seconds=0.05)
    deck.wait(ids[0])
    with deck.store.write():
        time.sleep(1.5)
    for job_id in ids:
        job = deck.wait(job_id)
        assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    check_counters(deck.store)


LEAVES_A_LOG = """
import os, signal, sys
from jobdeck.domain import clock
from jobdeck.store import flows
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
store = Store(sys.argv[1])
with store.write() as conn:
    target = flows.target(conn, "nap")
    enqueue(conn, [NewJob(flow_id=target.flow_id, queue_id=target.queue_id)] * 100, clock.now())
transaction = store.write()
begun = transaction.__enter__()
begun.exec_driver_sql("DELETE FROM ready")
os.kill(os.getpid(), signal.SIGKILL)
"""


@sqlite_only
def test_a_log_that_a_killed_process_left_is_taken_in(deck: Deck, tmp_path: Path) -> None:
    deck.define(CODE)
    deck.store.close()
    died = subprocess.run(
        [sys.executable, "-c", LEAVES_A_LOG, deck.store.address], timeout=60, check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert deck.store.path is not None
    log = Path(f"{deck.store.path}-wal")
    assert log.stat().st_size > 0
    assert totals(deck.store) == {Status.PENDING: 100}
    deck.start_pool(workers=1)
    wait_for("all jobs", lambda: all_done(deck.store, 100))
    check_counters(deck.store)


@postgres_only
def test_connections_cut_again_and_again(deck: Deck) -> None:
    """In the middle of transactions, too: each job ends once, and none is forgotten."""
    deck.define(CODE)
    marks = deck.folder / "marks"
    pool = deck.start_pool(workers=2)
    ids = deck.enqueue("mark", 250, path=str(marks))
    # One that is cut while it starts ends, to be started again.
    deck.wait(ids[0])
    other = create_engine(deck.store.url, isolation_level="AUTOCOMMIT")
    with other.connect() as conn:
        for _ in range(20):
            conn.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            if all_done(deck.store, len(ids)):
                break
            time.sleep(0.15)
    other.dispose()
    wait_for("all jobs", lambda: all_done(deck.store, len(ids)))
    check_counters(deck.store)
    assert Counter(map(int, marks.read_text().split())) == Counter(ids)
    assert pool.poll() is None
    assert all(deck.job(job_id).attempt == 1 for job_id in ids[::10])


@postgres_only
def test_a_database_that_crashes_under_load(deck: Deck, cluster: Cluster) -> None:
    deck.define(CODE)
    marks = deck.folder / "marks"
    deck.start_maintenance()
    pool = deck.start_pool(workers=2)
    ids = deck.enqueue("mark", 100, path=str(marks))
    deck.wait(ids[0])
    cluster.crash()
    wait_for("all jobs", lambda: all_done(deck.store, len(ids)))
    check_counters(deck.store)
    assert set(map(int, marks.read_text().split())) == set(ids)
    assert pool.poll() is None


@postgres_only
def test_a_deadlock_costs_a_pool_no_job(deck: Deck) -> None:
    """Somebody holds the row of a parent, and wants that of a child whose end the pool writes."""
    deck.define(CODE + FAMILY + HOLD)
    pool = deck.start_pool(workers=2)
    [parent] = deck.hold(1, "family")
    children = [parent + 1, parent + 2]
    wait_for("children", lambda: deck.job(parent).status == Status.RUNNING and _begun(deck) == 3)
    with deck.store.write() as conn:
        conn.execute(text("SET LOCAL deadlock_timeout = '60s'"))
        conn.execute(text("SELECT * FROM parents FOR UPDATE"))
        deck.let_go()
        wait_for("the pool", lambda: _waits_for_a_lock(deck))
        conn.execute(text("SELECT * FROM jobs WHERE id = ANY(:ids) FOR UPDATE"), {"ids": children})
    for job_id in (*children, parent):
        job = deck.wait(job_id)
        assert (job.status, job.attempt, job.losses) == (Status.COMPLETED, 1, 0)
    with deck.store.read() as conn:
        claims = conn.execute(text("SELECT claim FROM jobs ORDER BY id")).scalars().all()
    assert claims == [2, 1, 1]
    assert pool.poll() is None
    check_counters(deck.store)


def _begun(deck: Deck) -> int:
    with deck.store.read() as conn:
        return int(conn.execute(text("SELECT count(begun_at) FROM running")).scalar_one())


def _waits_for_a_lock(deck: Deck) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with deck.store.read() as conn:
        return bool(conn.execute(text(query)).scalar_one())
