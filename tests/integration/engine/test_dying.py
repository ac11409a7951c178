"""Whatever dies, every job ends once, and nothing is left behind."""

import os
import signal

import psutil
from sqlalchemy import text

from jobdeck.domain import clock
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import pools, stops
from tests.integration.engine.harness import HOLD, Deck, killed, wait_for

NAPS = """
    import time

    @job
    def nap(seconds: float = 0.02) -> int:
        time.sleep(seconds)
        return 1
"""


def test_a_killed_worker_loses_its_job_to_another_attempt(deck: Deck) -> None:
    deck.define("""
        import time

        @job
        def once(ctx: Context) -> str:
            if ctx.attempt == 1:
                time.sleep(60)
            return "second time"
    """)
    deck.start_pool(workers=1)
    [job_id] = deck.enqueue("once")
    deck.wait(job_id, Status.RUNNING)
    deck.worker_of(job_id).send_signal(signal.SIGKILL)
    job = deck.wait(job_id)
    assert (job.status, job.result, job.attempt, job.losses) == (
        Status.COMPLETED,
        "second time",
        2,
        1,
    )
    assert deck.attempts(job_id)[0] == (1, Status.PENDING, Reason.WORKER_LOST)


def test_a_job_that_always_kills_its_worker_fails_in_the_end(deck: Deck) -> None:
    deck.define("""
        import os, signal

        @job
        def deadly() -> None:
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    deck.start_pool(workers=1)
    [job_id] = deck.enqueue("deadly")
    job = deck.wait(job_id)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, Reason.WORKER_LOST, 4)
    assert "SIGKILL" in job.message


def test_a_killed_pool_gives_its_jobs_back_at_once_on_the_same_machine(deck: Deck) -> None:
    deck.define(NAPS)
    deck.start_maintenance()
    first = deck.start_pool(workers=2)
    ids = deck.enqueue("nap", 100)
    for job_id in ids[:5]:
        deck.wait(job_id)
    with deck.store.read() as conn:
        # One that only starts has none yet.
        worker = psutil.Process(next(w.pid for w in pools.list_workers(conn) if w.pid))
    with killed(first):
        pass
    wait_for("the orphaned worker to be gone", lambda: not worker.is_running())
    deck.start_pool(workers=2)
    for job_id in ids:
        assert deck.wait(job_id).status == Status.COMPLETED
    with deck.store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM running")).scalar_one() == 0
    wait_for("the killed one to be forgotten", lambda: len(_pool_states(deck)) == 1)
    assert _pool_states(deck) == ["running"]


def _pool_states(deck: Deck) -> list[str]:
    with deck.store.read() as conn:
        return [pool.state for pool in pools.all(conn)]


def test_a_frozen_pool_loses_its_lease_and_comes_back_under_a_new_number(deck: Deck) -> None:
    deck.define(NAPS)
    pool = deck.start_pool(workers=1)
    [slow] = deck.enqueue("nap", seconds=60)
    deck.wait(slow, Status.RUNNING)
    before = _pool_ids(deck)
    os.kill(pool.pid, signal.SIGSTOP)
    try:
        with deck.store.write() as conn:
            pools.set_state(conn, before[0], "lost")
            pools.close(conn, before[0], 0)
    finally:
        os.kill(pool.pid, signal.SIGCONT)
    after = wait_for("a new pool", lambda: [i for i in _pool_ids(deck) if i not in before])
    assert len(after) == 1


def test_a_pool_told_to_end_returns_what_it_cannot_finish(deck: Deck) -> None:
    deck.define(NAPS)
    pool = deck.start_pool(workers=1, drain_s=0.2)
    [long] = deck.enqueue("nap", seconds=60)
    deck.wait(long, Status.RUNNING)
    assert deck.stop(pool) == 0
    job = deck.job(long)
    assert (job.status, job.losses) == (Status.PENDING, 0)
    assert deck.attempts(long)[0] == (1, Status.PENDING, Reason.POOL_ENDED)


def _pool_ids(deck: Deck) -> list[int]:
    with deck.store.read() as conn:
        return [pool.id for pool in pools.all(conn) if pool.state == "running"]


def test_a_job_ended_by_force_stays_ended_and_its_process_goes(deck: Deck) -> None:
    deck.define(NAPS)
    deck.start_pool(workers=1)
    [job_id] = deck.enqueue("nap", seconds=60)
    deck.wait(job_id, Status.RUNNING)
    worker = deck.worker_of(job_id)
    with deck.store.write(wake=True) as conn:
        assert stops.force(
            conn, job_id, code=Code.FAILED, reason=Reason.FORCED, message="stuck", now=clock.now()
        )
    wait_for("the worker to be gone", lambda: not worker.is_running())
    [after] = deck.enqueue("nap")
    assert deck.wait(after).status == Status.COMPLETED
    job = deck.job(job_id)
    assert (job.status, job.reason, job.message) == (Status.FAILED, Reason.FORCED, "stuck")


def test_a_drained_pool_finishes_what_it_runs_and_takes_no_more(deck: Deck) -> None:
    deck.define(NAPS + HOLD)
    first = deck.start_pool(workers=1)
    [running] = deck.hold()
    deck.wait(running, Status.RUNNING)
    [pool_id] = _pool_ids(deck)
    with deck.store.write(wake=True) as conn:
        pools.set_state(conn, pool_id, "draining")
    [waiting] = deck.enqueue("nap")
    deck.let_go()
    assert deck.wait(running).status == Status.COMPLETED
    deck.start_pool(workers=1)
    assert deck.wait(waiting).pool != pool_id
    assert first.poll() is None
