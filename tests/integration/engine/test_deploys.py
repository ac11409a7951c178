"""New code beside old code: each job runs on the version that is published when it starts."""

import time

from jobdeck.domain.states import Status
from tests.integration.engine.harness import HOLD, Deck, wait_for

CODE = """
    import pathlib, time

    @job
    def version(flag: str = "") -> str:
        while flag and not pathlib.Path(flag).exists():
            time.sleep(0.01)
        return "VERSION"

    work = Pipeline("work")

    @work.step
    def fan_out(ctx: Context, flag: str) -> str:
        ctx.map("hold", [{"flag": flag}])
        return "VERSION"

    @work.step
    def gather(ctx: Context, first: str) -> list:
        return [first, "VERSION"]
"""


def test_a_rolling_upgrade_goes_on_with_what_the_old_code_began(deck: Deck) -> None:
    deck.define(HOLD + CODE.replace("VERSION", "one"))
    old = deck.start_pool(workers=2, drain_s=5)
    [running], [parent] = deck.hold(1, "version"), deck.hold(1, "work")
    deck.wait(running, Status.RUNNING)
    wait_for("the parent to wait", lambda: deck.job(parent).waits_for)
    deck.wait(parent + 1, Status.RUNNING)

    deck.define(HOLD + CODE.replace("VERSION", "two"))
    [waits] = deck.enqueue("version")
    time.sleep(0.2)
    assert deck.job(waits).status == Status.PENDING, "the old code does not run the new version"
    deck.start_pool(workers=1)
    assert deck.wait(waits).result == "two"
    deck.let_go()
    assert deck.wait(running).result == "one", "what the old code began it ends"
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
