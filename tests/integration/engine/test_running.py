"""Jobs run in processes of their own, and the store tells what became of them."""

from sqlalchemy import delete, select, text

from jobdeck.domain import clock
from jobdeck.domain.states import Reason, Status
from jobdeck.store import attempts, counters, hint_rules, logs, steps
from jobdeck.store.tables import flows, pipelines, versions
from tests.integration.engine.harness import Deck, wait_for


def test_a_job_completes_with_its_result(deck: Deck) -> None:
    deck.define("""
        @job
        def add(a: int, b: int) -> int:
            print("adding")
            return a + b
    """)
    deck.start_pool()
    [job_id] = deck.enqueue("add", a=2, b=3)
    job = deck.wait(job_id)
    assert (job.status, job.result, job.attempt) == (Status.COMPLETED, 5, 1)
    assert job.created_at <= (job.started_at or 0) <= (job.finished_at or 0)
    with deck.store.read() as conn:
        assert [line.message for line in logs.of_job(conn, job_id).lines] == ["adding"]


def test_steps_hand_on_their_results_and_are_recorded(deck: Deck) -> None:
    deck.define("""
        work = Pipeline("work")

        @work.step
        def first(ctx: Context, n: int) -> list[int]:
            ctx.counts.add(read=n)
            return list(range(n))

        @work.step
        async def second(ctx: Context, numbers: list[int]) -> int:
            return sum(numbers)
    """)
    deck.start_pool()
    [job_id] = deck.enqueue("work", n=4)
    job = deck.wait(job_id)
    assert job.result == 6
    with deck.store.read() as conn:
        found = steps.of_job(conn, job, None)
    assert [(s.name, s.status, s.counts.read) for s in found] == [
        ("first", Status.COMPLETED, 4),
        ("second", Status.COMPLETED, 0),
    ]


def test_a_failed_job_says_why_and_is_tried_again_as_often_as_allowed(deck: Deck) -> None:
    deck.define("""
        @job(retries=2, backoff="10ms")
        def broken() -> None:
            raise ValueError("no such city")
    """)
    deck.start_pool()
    [job_id] = deck.enqueue("broken")
    job = deck.wait(job_id)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, Reason.ERROR, 3)
    assert job.error is not None
    assert job.error.type == "ValueError"
    assert job.error.message == "no such city"
    assert "pipelines.py" in job.error.traceback
    assert deck.attempts(job_id) == [
        (1, Status.RETRYING, Reason.ERROR),
        (2, Status.RETRYING, Reason.ERROR),
        (3, Status.FAILED, Reason.ERROR),
    ]


def test_a_job_that_runs_too_long_is_ended_and_its_worker_replaced(deck: Deck) -> None:
    deck.define("""
        import time

        @job(timeout="200ms")
        def slow() -> None:
            while True:
                time.sleep(60)

        @job
        def quick() -> int:
            return 1
    """)
    deck.start_pool(grace_s=0.2)
    [slow] = deck.enqueue("slow")
    job = deck.wait(slow)
    assert (job.status, job.reason) == (Status.FAILED, Reason.TIMEOUT)
    [quick] = deck.enqueue("quick")
    assert deck.wait(quick).status == Status.COMPLETED


def test_a_stop_lets_the_job_end_by_itself(deck: Deck) -> None:
    deck.define("""
        @job
        def polite(ctx: Context) -> None:
            while True:
                ctx.sleep(0.01)
    """)
    deck.start_pool(grace_s=30)
    [job_id] = deck.enqueue("polite")
    deck.wait(job_id, Status.RUNNING)
    worker = deck.worker_of(job_id)
    deck.request_stop(job_id)
    job = deck.wait(job_id)
    assert (job.status, job.reason, job.message) == (Status.STOPPED, Reason.STOPPED, "test")
    assert worker.is_running()


def test_a_stop_that_is_not_heard_kills_after_the_grace_time(deck: Deck) -> None:
    """Also in C code that lets no other thread run."""
    deck.define("""
        import ctypes, pathlib, time

        sleep = ctypes.PyDLL(None).sleep

        @job
        def deaf(flag: str) -> None:
            while True:
                try:
                    pathlib.Path(flag).touch()
                    time.sleep(60)
                except BaseException:
                    pass

        @job
        def stuck(flag: str) -> None:
            pathlib.Path(flag).touch()
            sleep(60)
    """)
    deck.start_pool(workers=2, grace_s=0.3)
    flags = [deck.folder / flow for flow in ("deaf", "stuck")]
    ids = [deck.enqueue(flag.name, flag=str(flag))[0] for flag in flags]
    workers = []
    for job_id, flag in zip(ids, flags, strict=True):
        deck.wait(job_id, Status.RUNNING)
        wait_for("it to hear nothing", flag.exists)
        workers.append(deck.worker_of(job_id))
        deck.request_stop(job_id)
    for job_id in ids:
        job = deck.wait(job_id)
        assert (job.status, job.reason, job.attempt) == (Status.STOPPED, Reason.STOPPED, 1)
    wait_for("workers to be gone", lambda: not any(each.is_running() for each in workers))


def test_killing_one_job_of_a_batch_costs_the_others_nothing(deck: Deck) -> None:
    deck.define("""
        import time, pathlib

        @job
        def mixed(flag: str = "") -> None:
            if flag and pathlib.Path(flag).exists():
                time.sleep(60)
    """)
    flag = deck.folder / "flag"
    deck.start_pool(workers=1, grace_s=30)
    for job_id in deck.enqueue("mixed", 200):
        deck.wait(job_id)
    flag.touch()
    hanging = deck.enqueue("mixed", 1, flag=str(flag))
    others = deck.enqueue("mixed", 50)
    deck.wait(hanging[0], Status.RUNNING)
    deck.request_stop(hanging[0], "kill")
    job = deck.wait(hanging[0])
    assert (job.status, job.reason) == (Status.STOPPED, Reason.KILLED)
    for job_id in others:
        other = deck.wait(job_id)
        assert (other.status, other.attempt, other.losses) == (Status.COMPLETED, 1, 0)


def test_later_jobs_wait_for_their_time_and_higher_priority_goes_first(deck: Deck) -> None:
    deck.define("""
        order = []

        @job
        def note(name: str) -> int:
            order.append(name)
            return len(order)

        @job(priority=5)
        def urgent(name: str) -> int:
            order.append(name)
            return len(order)
    """)
    [low] = deck.enqueue("note", name="low")
    [later] = deck.enqueue("note", delay_s=0.3, name="later")
    [high] = deck.enqueue("urgent", name="high")
    assert deck.job(later).status == Status.SCHEDULED
    deck.start_pool(workers=1)
    assert [deck.wait(j).result for j in (high, low, later)] == [1, 2, 3]


def test_children_run_and_the_parent_goes_on_when_the_last_has_ended(deck: Deck) -> None:
    deck.define("""
        total = Pipeline("total")

        @job
        def square(n: int) -> int:
            if n == 3:
                raise ValueError("three")
            return n * n

        @total.step
        def split(ctx: Context, upto: int) -> None:
            ctx.map("square", [{"n": n} for n in range(upto)])

        @total.step
        def collect(ctx: Context) -> dict[str, int]:
            ended = list(ctx.children())
            good = [c.result for c in ended if c.status == "completed"]
            return {"sum": sum(good), "failed": len(ended) - len(good)}
    """)
    deck.start_pool(workers=1)
    [job_id] = deck.enqueue("total", upto=6)
    job = deck.wait(job_id)
    assert job.status == Status.COMPLETED, job.error
    assert job.result == {"sum": 0 + 1 + 4 + 16 + 25, "failed": 1}
    assert job.attempt == 1


def test_counters_equal_the_rows_and_nothing_is_left_open(deck: Deck) -> None:
    deck.define("""
        @job(retries=1, backoff="1ms")
        def some(n: int = 0) -> None:
            import os
            if os.urandom(1)[0] < 60:
                raise RuntimeError("unlucky")
    """)
    deck.start_pool(workers=2)
    ids = deck.enqueue("some", 500)
    for job_id in ids:
        deck.wait(job_id)
    with deck.store.read() as conn:
        totals = {status: n for status, n in counters.totals(conn).items() if n}
        rows = conn.execute(text("SELECT status, count(*) FROM jobs GROUP BY status")).fetchall()
        open_rows = conn.execute(
            text(
                "SELECT (SELECT count(*) FROM ready) + (SELECT count(*) FROM running) "
                "+ (SELECT count(*) FROM delayed)"
            )
        ).scalar_one()
    codes = {1: Status.COMPLETED, 2: Status.FAILED}
    assert totals == {codes[status]: n for status, n in rows}
    assert open_rows == 0


def test_a_parent_fails_when_all_its_children_did_and_goes_on_when_told_to(deck: Deck) -> None:
    deck.define("""
        @job
        def bad(n: int) -> None:
            raise ValueError(str(n))

        strict = Pipeline("strict")

        @strict.step
        def spread(ctx: Context) -> None:
            ctx.map("bad", [{"n": n} for n in range(3)])

        @strict.step
        def never(ctx: Context) -> str:
            return "went on"
    """)
    deck.start_pool(workers=2)
    [job_id] = deck.enqueue("strict")
    job = deck.wait(job_id)
    assert (job.status, job.reason) == (Status.FAILED, Reason.CHILDREN_FAILED)
    assert job.message == "3 of 3 children failed"
    assert job.result is None


def test_a_job_may_make_jobs_of_a_pipeline_that_the_store_does_not_know(deck: Deck) -> None:
    deck.define("""
        greet = Pipeline("greet")

        @greet.step
        def say(name: str) -> str:
            return "hello " + name

        @job
        def spread(ctx: Context) -> int:
            return ctx.enqueue(greet, {"name": "Ana"})

        @job
        def beyond() -> list[str]:
            said = []
            for options in {"priority": 10**7}, {"run_at": "2999-01-01"}, {"context": "\\0"}:
                try:
                    greet.options(**options).enqueue(name="Ana")
                except Exception as error:
                    said.append(str(error).partition(":")[0])
            return said
    """)
    with deck.store.write() as conn:
        greet = conn.execute(select(pipelines.c.id).where(pipelines.c.name == "greet")).scalar()
        conn.execute(delete(flows).where(flows.c.pipeline_id == greet))
        conn.execute(delete(versions).where(versions.c.pipeline_id == greet))
        conn.execute(delete(pipelines).where(pipelines.c.id == greet))
    deck.start_pool(workers=1)
    [job_id] = deck.enqueue("spread")
    job = deck.wait(job_id)
    assert job.status == Status.COMPLETED, job.error
    child = deck.wait(job.result)
    assert (child.flow, child.result, child.source) == ("greet", "hello Ana", "job")
    [refused] = deck.enqueue("beyond")
    assert deck.wait(refused).result == ["priority", "run_at", "context"]


def test_a_parent_keeps_what_it_said_before_and_after_its_children(deck: Deck) -> None:
    deck.define("""
        import os

        @job
        def child(n: int) -> int:
            return n

        parent = Pipeline("parent")

        @parent.step
        def fan_out(ctx: Context) -> None:
            print("before")
            os.write(1, b"low before\\n")
            ctx.map(child, [{"n": 1}, {"n": 2}])

        @parent.step
        def gather(ctx: Context) -> int:
            print("after")
            os.write(1, b"low after\\n")
            return sum(result.result for result in ctx.children())
    """)
    deck.start_pool()
    [job_id] = deck.enqueue("parent")
    assert deck.wait(job_id).result == 3
    with deck.store.read() as conn:
        lines = [line.message for line in logs.of_job(conn, job_id).lines]
    assert sorted(lines) == ["after", "before", "low after", "low before"]


def test_a_rule_of_the_store_gives_errors_their_hint(deck: Deck) -> None:
    deck.define("""
        work = Pipeline("work", hints={KeyError: "the author's own"})

        @work.step(retries=1, backoff="10ms")
        def first(own: bool = False) -> None:
            raise KeyError("x") if own else ConnectionRefusedError("Connection refused by ERP-7")

        @work.step
        def second() -> None: ...
    """)
    with deck.store.write() as conn:
        hint_rules.add(conn, r"ERP-\d", "Start the ERP.", "/wiki/erp", clock.now())
        hint_rules.add(conn, "KeyError", "never given", "", clock.now())
    deck.start_pool()
    [job_id], [own] = deck.enqueue("work"), deck.enqueue("work", own=True)
    job = deck.wait(job_id)
    assert job.error is not None
    assert (job.error.hint, job.error.link) == ("Start the ERP.", "/wiki/erp")
    with deck.store.read() as conn:
        told = [each.error for each in attempts.of_job(conn, job)]
        told.append(steps.of_job(conn, job, None)[0].error)
    assert [each.hint for each in told if each] == ["Start the ERP."] * 3
    error = deck.wait(own).error
    assert error is not None
    assert error.hint == "the author's own"
