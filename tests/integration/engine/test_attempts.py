"""Every attempt keeps what it did: its error, its lines, its processor time and memory."""

from jobdeck.actions import jobs as actions
from jobdeck.domain.states import Reason, Status
from jobdeck.store import attempts, logs
from tests.integration.engine.harness import Deck
from tests.integration.hands import ANA

CODE = """
    import time

    class Busy(Exception): ...

    work = Pipeline("work", retries=5, backoff="10ms", no_retry_on=KeyError)

    @work.step
    def first(ctx: Context) -> str:
        print("first in attempt", ctx.attempt)
        return f"first of {ctx.attempt}"

    @work.step(retries=3, backoff="10ms", retry_on=Busy)
    def second(ctx: Context, before: str, fixed: bool = False) -> str:
        print("second in attempt", ctx.attempt)
        began = time.process_time()
        while time.process_time() - began < 0.03:
            pass
        if ctx.attempt == 1:
            raise Busy("try again")
        if ctx.attempt == 2:
            raise ValueError("not of retry_on")
        return f"{before}, second of {ctx.attempt}"

    @job(retries=2, backoff="10ms", no_retry_on=KeyError)
    def never() -> None:
        raise KeyError("x")
"""


def test_attempts_are_kept_apart_and_the_class_of_an_error_decides(deck: Deck) -> None:
    deck.define(CODE)
    deck.start_pool()
    [job_id], [never] = deck.enqueue("work"), deck.enqueue("never")
    job = deck.wait(job_id)
    assert (job.status, job.attempt) == (Status.FAILED, 2)
    with deck.store.read() as conn:
        found = attempts.of_job(conn, job)
        said = [(line.attempt, line.message) for line in logs.of_job(conn, job_id).lines]
    assert [each.error.type for each in found if each.error] == ["pipelines.Busy", "ValueError"]
    assert all((each.cpu_s or 0) >= 0.03 and (each.max_rss_kb or 0) > 5_000 for each in found)
    assert said == [
        (1, "first in attempt 1"),
        (1, "second in attempt 1"),
        (2, "second in attempt 2"),
    ], "a step that is done is not run again"
    assert deck.wait(never).attempt == 1

    actions.retry(deck.store, ANA, "from the failed step", job_id)
    job = deck.wait(job_id)
    assert (job.status, job.result) == (Status.COMPLETED, "first of 1, second of 3")


def test_a_job_is_retried_from_the_start(deck: Deck) -> None:
    deck.define(CODE)
    deck.start_pool()
    [job_id] = deck.enqueue("work")
    deck.wait(job_id)
    actions.retry(deck.store, ANA, "from the start", job_id, from_="start")
    job = deck.wait(job_id)
    assert (job.result, job.reason) == ("first of 3, second of 3", None)
    assert [each[1] for each in deck.attempts(job_id)] == [
        Status.RETRYING,
        Status.FAILED,
        Status.COMPLETED,
    ]
    assert deck.attempts(job_id)[1][2] == Reason.ERROR
