"""Coroutine jobs run side by side in one worker, and none pays for another."""

import signal

from jobdeck.domain.states import Reason, Status
from jobdeck.store import logs, pools, steps
from tests.integration.engine.harness import WAIT_S, Deck, wait_for

WORK = """
    import asyncio, os, pathlib, time

    @job
    async def wait(seconds: float = 0, say: str = "", flag: str = "") -> int:
        print(say + " begins")
        await asyncio.sleep(seconds)
        while flag and not pathlib.Path(flag).exists():
            await asyncio.sleep(0.01)
        print(say + " ends")
        return os.getpid()

    here, all_here = [], asyncio.Event()

    @job
    async def meet(say: str, others: int) -> int:
        print(say + " begins")
        here.append(say)
        if len(here) == others:
            all_here.set()
        await all_here.wait()
        print(say + " ends")
        return os.getpid()

    @job
    async def stuck() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            time.sleep(60)

    @job(timeout="300ms")
    async def slow() -> None:
        await asyncio.sleep(60)

    @job
    async def burn(ctx: Context) -> int:
        ctx.progress(1, 3, "burning")
        for _ in range(4):
            began = time.thread_time()
            while time.thread_time() - began < 0.05:
                pass
            await asyncio.sleep(0)
        return 1

    @job
    def alone(seconds: float = 0.0) -> int:
        time.sleep(seconds)
        return os.getpid()

    @job
    async def dies(flag: str) -> None:
        while not pathlib.Path(flag).exists():
            await asyncio.sleep(0.01)
        os._exit(3)

    held = []

    @job
    async def hoard(mb: int) -> None:
        held.append(bytearray(mb * 1_000_000))
        await asyncio.sleep(60)

    work = Pipeline("work")

    @work.step
    async def first(ctx: Context, name: str) -> str:
        await asyncio.sleep(0.3)
        ctx.counts.add(read=1)
        return name

    @work.step
    async def second(ctx: Context, name: str) -> str:
        print("second of", name)
        return name * 2
"""


def said(deck: Deck, job_id: int) -> list[str]:
    with deck.store.read() as conn:
        return [line.message for line in logs.of_job(conn, job_id).lines]


def test_they_share_a_worker_and_each_keeps_what_is_its_own(deck: Deck) -> None:
    deck.define(WORK)
    ids = [deck.enqueue("meet", say=name, others=6)[0] for name in "abcdef"]
    steps_of = [deck.enqueue("work", name=name)[0] for name in "xy"]
    [burn] = deck.enqueue("burn")
    deck.start_pool(workers=1)
    done = [deck.wait(job_id) for job_id in ids]
    assert len({job.result for job in done}) == 1
    spans = [(job.started_at or 0, job.finished_at or 0) for job in done]
    assert max(start for start, _ in spans) < min(end for _, end in spans)
    for job_id, name in zip(ids, "abcdef", strict=True):
        assert said(deck, job_id) == [f"{name} begins", f"{name} ends"]
    for job_id, name in zip(steps_of, "xy", strict=True):
        job = deck.wait(job_id)
        assert job.result == name * 2
        with deck.store.read() as conn:
            assert [s.counts.read for s in steps.of_job(conn, job, None)] == [1, 0]
            [line] = logs.of_job(conn, job_id).lines
            assert (line.message, line.step) == (f"second of {name}", "second")
    job = deck.wait(burn)
    assert 0.15 < (job.cpu_s or 0) < 1
    assert (deck.wait(ids[0]).cpu_s or 0) < 0.15


def test_killing_one_costs_the_others_no_attempt(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1, grace_s=0.3)
    [other] = deck.enqueue("wait", say="x", flag=str(deck.flag))
    [gentle] = deck.enqueue("wait", seconds=60)
    for job_id in (other, gentle):
        deck.wait(job_id, Status.RUNNING)
    before = deck.worker_of(other).pid
    deck.request_stop(gentle, "kill")
    job = deck.wait(gentle)
    assert (job.status, job.reason) == (Status.STOPPED, Reason.KILLED)
    assert deck.worker_of(other).pid == before, "it ended by itself, so the others went on"

    [stuck] = deck.enqueue("stuck")
    deck.wait(stuck, Status.RUNNING)
    wait_for("what it said", lambda: said(deck, other) == ["x begins"])
    deck.request_stop(stuck)
    job = deck.wait(stuck)
    assert (job.status, job.reason) == (Status.STOPPED, Reason.STOPPED)
    deck.let_go()
    job = deck.wait(other)
    assert (job.status, job.attempt, job.losses) == (Status.COMPLETED, 1, 0)
    assert job.result != before
    assert deck.attempts(other) == [(1, Status.COMPLETED, None)]
    assert said(deck, other) == ["x begins", "x begins", "x ends"], "what it said before is kept"


def test_each_has_its_own_timeout_and_stop(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1)
    [other], [stopped] = deck.enqueue("wait", seconds=1), deck.enqueue("wait", seconds=60)
    [slow] = deck.enqueue("slow")
    job = deck.wait(slow)
    assert (job.status, job.reason) == (Status.FAILED, Reason.TIMEOUT)
    deck.request_stop(stopped)
    assert deck.wait(stopped).status == Status.STOPPED
    job = deck.wait(other)
    assert (job.status, job.attempt) == (Status.COMPLETED, 1)


def test_a_job_that_needs_the_worker_for_itself_gets_its_turn(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1)
    deck.wait(deck.enqueue("wait")[0])
    first = deck.hold(3, "wait")
    for job_id in first:
        deck.wait(job_id, Status.RUNNING)
    [alone] = deck.enqueue("alone", seconds=0.1)
    later = deck.enqueue("wait", 3)
    deck.let_go()
    ended = [deck.wait(job_id).finished_at or 0 for job_id in first]
    job = deck.wait(alone)
    assert max(ended) <= (job.started_at or 0)
    assert all((deck.wait(job_id).started_at or 0) >= (job.finished_at or 0) for job_id in later)


def test_a_job_that_kills_its_worker_costs_its_neighbours_nothing(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1)
    now = deck.folder / "now"
    [other], [dies] = deck.hold(1, "wait"), deck.enqueue("dies", flag=str(now))
    for job_id in (other, dies):
        deck.wait(job_id, Status.RUNNING)
    worker = deck.worker_of(other)
    now.touch()
    wait_for("the worker to be gone", lambda: not worker.is_running())
    deck.let_go()
    job = deck.wait(dies)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, Reason.WORKER_LOST, 4)
    job = deck.wait(other)
    assert (job.status, job.attempt, job.losses) == (Status.COMPLETED, 1, 0)


def test_which_of_several_takes_the_memory_shows_when_each_runs_alone(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1, worker_memory=250_000_000)
    small = deck.enqueue("wait", 2, seconds=1.5)
    [big] = deck.enqueue("hoard", mb=400)
    job = deck.wait(big)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, Reason.OUT_OF_MEMORY, 1)
    for job_id in small:
        job = deck.wait(job_id)
        assert (job.status, job.attempt) == (Status.COMPLETED, 1)


def draining(deck: Deck) -> bool:
    with deck.store.read() as conn:
        return any(pool.state == "draining" for pool in pools.all(conn))


def test_a_pool_that_ends_lets_them_end_and_is_told_of_each(deck: Deck) -> None:
    deck.define(WORK)
    pool = deck.start_pool(workers=1, drain_s=WAIT_S)
    ids = deck.hold(3, "wait")
    for job_id in ids:
        deck.wait(job_id, Status.RUNNING)
    with deck.store.read() as conn:
        [worker] = pools.list_workers(conn)
    assert worker.job == ids[0]
    pool.send_signal(signal.SIGTERM)
    wait_for("it to drain", lambda: draining(deck))
    deck.let_go()
    assert pool.wait(WAIT_S) == 0
    assert [deck.job(job_id).status for job_id in ids] == [Status.COMPLETED] * 3


def test_many_quick_ones_run_in_one_worker(deck: Deck) -> None:
    deck.define(WORK)
    ids = deck.enqueue("wait", 300, seconds=0.01)
    deck.start_pool(workers=1, worker_jobs=170)
    wait_for("all to end", lambda: all(deck.job(job_id).status.final for job_id in ids))
    done = [deck.job(job_id) for job_id in ids]
    assert {(job.status, job.attempt) for job in done} == {(Status.COMPLETED, 1)}
    assert len({job.result for job in done}) == 2
