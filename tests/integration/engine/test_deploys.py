"""New code beside old code: each job runs on the version that is published when it starts."""

import time

from jobdeck.domain.states import Status
from tests.integration.engine.harness import Deck, wait_for

CODE = """
    import time

    @job
    def version(wait: float = 0) -> str:
        time.sleep(wait)
        return "VERSION"

    @job
    def child(flag: str) -> str:
        import pathlib
        while not pathlib.Path(flag).exists():
            time.sleep(0.01)
        return "VERSION"

    work = Pipeline("work")

    @work.step
    def fan_out(ctx: Context, flag: str) -> str:
        ctx.map(child, [{"flag": flag}])
        return "VERSION"

    @work.step
    def gather(ctx: Context, first: str) -> list:
        return [first, "VERSION"]
"""


def test_a_rolling_upgrade_goes_on_with_what_the_old_code_began(deck: Deck) -> None:
    flag = deck.folder / "flag"
    deck.define(CODE.replace("VERSION", "one"))
    old = deck.start_pool(workers=2, drain_s=5)
    [running], [parent] = deck.enqueue("version", wait=2), deck.enqueue("work", flag=str(flag))
    deck.wait(running, Status.RUNNING)
    wait_for("the parent to wait", lambda: deck.job(parent).waits_for)

    deck.define(CODE.replace("VERSION", "two"))
    [waits] = deck.enqueue("version")
    time.sleep(0.2)
    assert deck.job(waits).status == Status.PENDING, "the old code does not run the new version"
    deck.start_pool(workers=1)
    assert deck.wait(waits).result == "two"
    assert deck.wait(running).result == "one", "what the old code began it ends"
    flag.touch()
    job = deck.wait(parent)
    assert (job.result, job.attempt) == (["one", "two"], 1), "its next step is of the new code"
    assert deck.stop(old) == 0
    assert deck.wait(deck.enqueue("version")[0]).result == "two"


def test_parents_that_fill_every_worker_block_nobody(deck: Deck) -> None:
    deck.define("""
        @job
        def leaf(n: int) -> int:
            return n

        middle = Pipeline("middle")

        @middle.step
        def spread(ctx: Context, n: int) -> None:
            ctx.map(leaf, [{"n": n}, {"n": n}])

        @middle.step
        def add(ctx: Context) -> int:
            return sum(child.result for child in ctx.children())

        top = Pipeline("top")

        @top.step
        def spread(ctx: Context) -> None:
            ctx.map("middle", [{"n": n} for n in range(3)])

        @top.step
        def add(ctx: Context) -> int:
            return sum(child.result for child in ctx.children())
    """)
    parents = deck.enqueue("top", 5)
    deck.start_pool(workers=1)
    assert [deck.wait(job_id).result for job_id in parents] == [6] * 5
