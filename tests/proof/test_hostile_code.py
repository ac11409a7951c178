"""Whatever a job's code does, its pool goes on, and the next job runs."""

from __future__ import annotations

from jobdeck.domain.states import Reason, Status
from tests.integration.engine.harness import Deck

CODE = """
    import os, pathlib, subprocess, sys
    from jobdeck import NoItems, Retry, Skip

    def once(ctx, flag: str) -> bool:
        path = pathlib.Path(f"{flag}-{ctx.job_id}")
        if path.exists():
            return False
        path.touch()
        return True

    @job
    def ends_itself(ctx: Context, flag: str) -> None:
        if once(ctx, flag):
            os._exit(0)

    @job
    def closes_everything(ctx: Context, flag: str) -> None:
        if once(ctx, flag):
            os.closerange(0, 1 << 16)

    @job
    def leaves_children(ctx: Context) -> int:
        for _ in range(3):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        if os.fork() == 0:
            os._exit(0)
        return 1

    @job
    def prints_without_end(ctx: Context) -> None:
        for _ in range(400):
            os.write(1, b"x" * 1000 + b"\\n" + b"\\xff\\x00\\n" * 50)
        for _ in range(10_000):
            print("y" * 100)

    @job
    def returns_too_much(ctx: Context) -> str:
        return "z" * 100_000_000

    @job
    def tells_nonsense(ctx: Context) -> None:
        ctx.progress(2**70, -(2**80), note="a\\x00b\\ud800")
        ctx.check_in("\\x00")
        ctx.progress(0.5, float("inf"))
        ctx.log.info("a\\x00b\\ud800", value="\\x00\\ud800", number=2**90)

    @job
    def speaks_for_its_worker(ctx: Context) -> None:
        from jobdeck.worker.protocol import CheckIn, Outcome, Outcomes, frame
        claim = ctx._job.claim
        lies = frame(CheckIn(ctx.job_id, claim, 0, 2**63, None, "\\x00"))
        lies += frame(Outcomes([Outcome(ctx.job_id, claim, "completed", 0, 2**63, b"1")]))
        for fd in range(200, 260):
            try:
                os.write(fd, lies)
            except OSError:
                pass

    @job
    def skips_with_nonsense(ctx: Context) -> None:
        raise Skip("a\\x00b\\ud800")

    @job
    def finds_nothing_with_nonsense(ctx: Context) -> None:
        raise NoItems("a\\x00b\\ud800" * 100_000)

    @job(retries=1)
    def waits_for_ever(ctx: Context) -> None:
        raise Retry("a\\x00b", after=1e300)

    @job
    def fails_with_nonsense(ctx: Context) -> None:
        class Odd(Exception):
            def __str__(self) -> str:
                raise self
        Odd.__qualname__ = "a\\x00b\\ud800"
        raise Odd

    @job
    def quick() -> int:
        return 1
"""
COMPLETED = (
    "leaves_children",
    "prints_without_end",
    "skips_with_nonsense",
    "finds_nothing_with_nonsense",
)


def test_the_pool_goes_on_whatever_the_code_does(deck: Deck) -> None:
    deck.define(CODE)
    pool = deck.start_pool(workers=2)
    flag = str(deck.folder / "flag")
    lost = [deck.enqueue(flow, flag=flag)[0] for flow in ("ends_itself", "closes_everything")]
    fine = [deck.enqueue(flow)[0] for flow in COMPLETED]
    [large] = deck.enqueue("returns_too_much")
    [odd] = deck.enqueue("fails_with_nonsense")
    [told] = deck.enqueue("tells_nonsense")
    [liar] = deck.enqueue("speaks_for_its_worker")
    [patient] = deck.enqueue("waits_for_ever")

    for job_id in fine:
        assert deck.wait(job_id, seconds=60).status == Status.COMPLETED
    for job_id in lost:
        job = deck.wait(job_id)
        assert (job.status, job.losses) == (Status.COMPLETED, 1)
    assert deck.wait(large).reason == Reason.INVALID_RESULT
    assert deck.wait(odd).reason == Reason.ERROR
    assert deck.wait(told).attempt == 1
    assert deck.wait(liar).reason == Reason.INVALID_RESULT
    assert deck.wait(patient, Status.RETRYING).attempt == 1
    [last] = deck.enqueue("quick")
    assert deck.wait(last).status == Status.COMPLETED
    assert pool.poll() is None
    assert all(
        deck.job(job_id).pool == 1 for job_id in [*fine, *lost, large, odd, told, liar, last]
    )
