"""A job that takes too much memory is ended, and a worker that has done enough is replaced."""

from jobdeck.domain.states import Reason, Status
from tests.integration.engine.harness import Deck

WORK = """
    import os, subprocess, sys, time

    held = []

    @job(retries=1, backoff="10ms")
    def hoard(mb: int) -> None:
        held.append(bytearray(mb * 1_000_000))
        time.sleep(60)

    @job(memory="150MB")
    def child() -> None:
        code = "import time; held = bytearray(300_000_000); time.sleep(60)"
        subprocess.run([sys.executable, "-c", code])

    @job
    def leak(mb: int) -> int:
        held.append(bytearray(mb * 1_000_000))
        return os.getpid()

    @job
    def who(wait: float = 0) -> int:
        time.sleep(wait)
        return os.getpid()
"""


def test_a_job_that_takes_too_much_memory_is_killed_and_may_be_tried_again(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=2, worker_memory=200_000_000)
    [big], [small] = deck.enqueue("hoard", mb=400), deck.enqueue("who", wait=2)
    job = deck.wait(big)
    assert (job.status, job.reason, job.losses) == (Status.FAILED, Reason.OUT_OF_MEMORY, 0)
    assert "its limit is 200 MB" in job.message
    assert (job.max_rss_kb or 0) > 200_000_000 // 1024
    assert deck.attempts(big) == [
        (1, Status.RETRYING, Reason.OUT_OF_MEMORY),
        (2, Status.FAILED, Reason.OUT_OF_MEMORY),
    ]
    assert deck.wait(small).attempt == 1


def test_what_a_job_starts_counts_for_the_limit_of_its_pipeline(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1)
    [job_id] = deck.enqueue("child")
    job = deck.wait(job_id)
    assert (job.status, job.reason) == (Status.FAILED, Reason.OUT_OF_MEMORY)
    assert "its limit is 150 MB" in job.message


def test_a_worker_is_replaced_after_so_many_jobs_and_none_is_lost(deck: Deck) -> None:
    deck.define(WORK)
    ids = deck.enqueue("who", 10)
    deck.start_pool(workers=1, worker_jobs=4)
    done = [deck.wait(job_id) for job_id in ids]
    assert [job.attempt for job in done] == [1] * 10
    by_process = [job.result for job in done]
    assert sorted(by_process.count(pid) for pid in set(by_process)) == [2, 4, 4]


def test_a_worker_that_jobs_left_full_is_replaced_before_the_next(deck: Deck) -> None:
    deck.define(WORK)
    deck.start_pool(workers=1, worker_memory=400_000_000)
    ids = deck.enqueue("leak", 2, mb=300)
    first, second = (deck.wait(job_id) for job_id in ids)
    assert (first.status, second.status) == (Status.COMPLETED, Status.COMPLETED)
    assert first.result != second.result
    assert (first.attempt, second.attempt) == (1, 1)
