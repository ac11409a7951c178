"""What a worker reports of the jobs that it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from jobdeck.domain import limits
from jobdeck.domain.records import Counts
from jobdeck.worker.protocol import (
    CheckIn,
    FileKept,
    HttpCall,
    Outcomes,
    Ready,
    Run,
)
from tests.integration.worker.peer import Peer, again

Start = Callable[[str], Peer]


def test_it_is_ready_with_the_fingerprints_of_its_pipelines(worker: Start) -> None:
    peer = worker("@job\ndef one(): ...\n@job\ndef two(): ...\n")

    ready = peer.first(Ready)

    assert ready.pid == peer.process.pid
    assert sorted(ready.versions) == ["one", "two"]


def test_a_job_runs_and_is_reported_with_its_times(worker: Start) -> None:
    peer = worker("@job\ndef add(ctx: Context, a: int, b: int = 2):\n    return {'sum': a + b}")

    outcome = peer.run("add", a=1)

    assert outcome.status == "completed"
    assert outcome.result == b'{"sum":3}'
    assert outcome.started_at <= outcome.finished_at
    assert peer.reports(peer.spec("add")) == []


def test_a_batch_runs_in_order_and_the_board_counts_it(worker: Start) -> None:
    peer = worker("@job\ndef same(n: int):\n    return n")
    specs = [peer.spec("same", n=n) for n in range(1000)]

    peer.send(Run(specs[:500]))
    peer.send(Run(specs[500:]))
    peer.outcome(specs[-1])

    outcomes = [item for frame in peer.all(Outcomes) for item in frame.items]
    assert [outcome.job for outcome in outcomes] == [spec.job for spec in specs]
    assert [int(outcome.result or b"-1") for outcome in outcomes] == list(range(1000))
    assert peer.board.read()[:2] == (1000, 1000)


def test_what_is_done_is_reported_while_the_next_job_takes_long(worker: Start) -> None:
    peer = worker("import time\n@job\ndef quick(): ...\n@job\ndef slow(ctx):\n    ctx.sleep(600)\n")
    quick, slow = peer.spec("quick"), peer.spec("slow")

    peer.send(Run([quick, slow]))

    assert peer.outcome(quick).status == "completed"
    peer.stop(slow)
    assert peer.outcome(slow).status == "stopped"


def test_steps_are_reported_at_their_begin_and_end(worker: Start) -> None:
    peer = worker("""
pipeline = Pipeline("p")
@pipeline.step
def first(n: int):
    return [n]
@pipeline.step
def second(ctx, rows: list[int]):
    ctx.counts.add(read=len(rows))
    return len(rows)
""")
    spec = peer.start("p", n=5)

    assert peer.outcome(spec).result == b"1"
    reports = peer.reports(spec)
    assert [(r.position, r.name, r.status, r.result) for r in reports] == [
        (0, "first", "running", None),
        (0, "first", "completed", b"[5]"),
        (1, "second", "running", None),
        (1, "second", "completed", b"1"),
    ]
    assert reports[-1].counts == Counts(read=1)
    assert reports[-1].finished_at is not None


def test_a_single_step_with_counts_is_reported_too(worker: Start) -> None:
    peer = worker("@job\ndef one(ctx):\n    ctx.counts.add(written=2)\n    return 3")
    spec = peer.start("one")
    peer.outcome(spec)

    (report,) = peer.reports(spec)[-1:]

    assert (report.status, report.counts, report.result) == ("completed", Counts(written=2), b"3")


def test_a_failed_job_goes_on_at_its_last_committed_chunk(worker: Start) -> None:
    peer = worker("""
pipeline = Pipeline("p")
@pipeline.step
def first():
    print("first runs")
    return list(range(10))
@pipeline.step
def second(ctx, rows):
    for chunk in ctx.chunks(rows, 3):
        if 7 in chunk and ctx.attempt == 1:
            raise OSError("connection lost")
        print(chunk)
    return "done"
""")
    spec = peer.start("p")
    outcome = peer.outcome(spec)
    assert (outcome.status, outcome.reason, outcome.retryable) == ("failed", "error", True)
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step) == ("OSError", "second")

    retry = again(spec, peer.reports(spec))
    peer.send(Run([retry]))

    assert peer.outcome(retry).result == b'"done"'
    assert peer.said(spec) == ["first runs", "[0, 1, 2]", "[3, 4, 5]"]
    assert peer.said(retry) == ["[6, 7, 8]", "[9]"]
    assert peer.reports(retry)[-1].counts == Counts(read=10, written=10, commits=4, rollbacks=1)


def test_after_a_kill_the_reports_tell_where_to_go_on(worker: Start) -> None:
    peer = worker("""
import os, signal
@job
def load(ctx):
    for chunk in ctx.chunks(range(10), 3):
        if 7 in chunk:
            os.kill(os.getpid(), signal.SIGKILL)
""")
    spec = peer.start("load")
    while peer.hear():
        pass

    newest = peer.reports(spec)[-1]
    assert newest.status == "running"
    assert newest.counts == Counts(read=6, written=6, commits=2)
    assert newest.checkpoint is not None
    assert peer.board.read()[:2] == (1, 0)


def test_coroutines_share_a_loop_that_lasts(worker: Start) -> None:
    peer = worker("""
import asyncio
@job
async def loop():
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop())
@job
def plain():
    return "between"
@job
async def fails():
    raise ValueError("inside")
@job
async def exits():
    raise SystemExit(2)
@job
async def closes():
    asyncio.get_running_loop().stop()
    await asyncio.sleep(60)
""")
    loops = {peer.result("loop")}
    assert peer.result("plain") == "between"
    assert peer.run("fails").message == "inside"
    assert peer.run("exits").message.startswith("the code called sys.exit(2)")
    assert peer.run("closes").status == "failed"
    loops.add(peer.result("loop"))
    assert len(loops) == 1


def test_progress_arrives_at_a_bounded_rate_and_the_last_always(worker: Start) -> None:
    peer = worker("""
@job
def work(ctx):
    for n in range(200_000):
        ctx.progress(n + 1, 200_000, "rows")
""")
    spec = peer.start("work")
    outcome = peer.outcome(spec)

    check_ins = peer.all(CheckIn)
    assert (check_ins[-1].done, check_ins[-1].total, check_ins[-1].note) == (
        200_000, 200_000, "rows",
    )  # fmt: skip
    seconds = (outcome.finished_at - outcome.started_at) / 1e6
    assert len(check_ins) <= 20 * seconds + 2


def test_a_check_in_goes_out_while_the_job_hangs_afterwards(worker: Start) -> None:
    peer = worker("@job\ndef work(ctx):\n    ctx.check_in('asking the bank')\n    ctx.sleep(600)")
    spec = peer.start("work")

    assert peer.first(CheckIn).note == "asking the bank"
    peer.stop(spec)
    peer.outcome(spec)


def test_files_and_calls_are_reported(worker: Start) -> None:
    peer = worker("""
import httpx
@job
def work(ctx):
    ctx.files.save("rows.csv", "a,b")
    ctx.files.path("later.csv").write_text("x")
    ctx.http.timeout = 1
    try:
        ctx.http.get("http://127.0.0.1:9/?token=hush")
    except httpx.HTTPError:
        pass
""")
    spec = peer.start("work")
    peer.outcome(spec)

    files = {kept.name: kept for kept in peer.all(FileKept)}
    assert sorted(files) == ["later.csv", "rows.csv"]
    assert (peer.files / files["rows.csv"].path).read_text() == "a,b"
    (call,) = peer.all(HttpCall)
    assert (call.method, call.status) == ("GET", None)
    assert "hush" not in call.url
    assert call.error.startswith("ConnectError")


def test_children_are_asked_for_and_the_job_waits(worker: Start) -> None:
    peer = worker("""
@job
def child(n: int): ...
pipeline = Pipeline("p")
@pipeline.step
def split(ctx):
    return ctx.map(child, [{"n": n} for n in range(3)])
@pipeline.step
def join(ctx, made):
    return [made, [c.result for c in ctx.children()]]
""")
    spec = peer.start("p")

    call = peer.answer(3)
    assert call.kind == "map"
    assert call.body["step"] == "split"
    assert call.body["flow"] == "child"
    assert call.body["items"] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert call.body["start"] == 0
    assert call.body["manifest"]["name"] == "child"
    assert peer.outcome(spec).status == "waiting"

    rest = again(spec, peer.reports(spec), attempt=1)
    peer.send(Run([rest]))
    child: dict[str, Any] = {"status": "completed", "error": None, "params": {}}
    peer.answer([{"id": 7 + n, "index": n, "result": n * n, **child} for n in range(3)])
    assert peer.outcome(rest).result == b"[3,[0,1,4]]"


def test_a_job_all_of_whose_steps_are_done_completes_at_once(worker: Start) -> None:
    peer = worker("@job\ndef child(): ...\n@job\ndef parent(ctx):\n    return ctx.map(child, [{}])")
    spec = peer.start("parent")
    peer.answer(1)
    assert peer.outcome(spec).status == "waiting"

    rest = again(spec, peer.reports(spec), attempt=1)
    peer.send(Run([rest]))

    outcome = peer.outcome(rest)
    assert (outcome.status, outcome.result) == ("completed", b"1")


def test_a_job_enqueues_through_its_pool(worker: Start) -> None:
    peer = worker("""
@job
def other(n: int): ...
@job
def makes():
    return other.options(priority=3).enqueue(n=1)
""")
    spec = peer.start("makes")

    call = peer.answer({"ids": [42], "kept": []})

    assert call.kind == "enqueue"
    (item,) = call.body["items"]
    assert (item["flow"], item["params"], item["priority"]) == ("other", {"n": 1}, 3)
    assert peer.outcome(spec).result == b"42"


def test_a_refusal_of_the_pool_is_an_error_of_the_job(worker: Start) -> None:
    peer = worker("@job\ndef makes(ctx):\n    ctx.enqueue('nothing')")
    spec = peer.start("makes")

    peer.answer(None, "There is no flow 'nothing'.")

    assert peer.outcome(spec).message == "There is no flow 'nothing'."


def test_a_result_that_is_too_large_fails_the_job(worker: Start) -> None:
    peer = worker("@job\ndef big(n: int):\n    return 'x' * n")

    outcome = peer.run("big", n=limits.RESULT_BYTES)

    assert (outcome.status, outcome.reason) == ("failed", "invalid_result")
    assert "a str of 1,000,002 bytes" in outcome.message
    assert peer.run("big", n=limits.RESULT_BYTES - 2).status == "completed"


def test_many_large_results_go_out_in_frames_that_a_pool_takes(worker: Start) -> None:
    peer = worker("@job\ndef big():\n    return 'x' * 900_000")
    specs = [peer.spec("big") for _ in range(100)]

    peer.send(Run(specs))

    assert all(peer.outcome(spec).status == "completed" for spec in specs)


def test_parameters_that_do_not_fit_are_told_by_name(worker: Start) -> None:
    peer = worker("@job\ndef one(n: int): ...")

    outcome = peer.run("one", n="x")

    assert (outcome.status, outcome.reason) == ("failed", "invalid_config")
    assert outcome.message.startswith("params.n: ")
    assert not outcome.retryable


def test_a_pipeline_that_is_not_loaded_is_told(worker: Start) -> None:
    peer = worker("@job\ndef one(): ...")

    outcome = peer.run("two")

    assert (outcome.status, outcome.reason) == ("failed", "not_loaded")
    assert "'two'" in outcome.message


def test_processor_time_and_memory_are_measured(worker: Start) -> None:
    peer = worker("""
import subprocess, sys
@job
def burn(seconds: float):
    import time
    end = time.process_time() + seconds
    while time.process_time() < end: pass
@job
def child(seconds: float):
    code = f"import time\\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-c", code])
@job
def hog():
    return len(bytearray(100_000_000))
@job
def slim():
    import time; time.sleep(0.01)
""")
    assert 290_000 <= peer.run("burn", seconds=0.3).cpu_us < 1_000_000
    assert 290_000 <= peer.run("child", seconds=0.3).cpu_us < 1_000_000
    before = peer.run("slim").rss_kb
    assert peer.run("hog").rss_kb > before + 80_000
    after = peer.run("slim")
    assert after.cpu_us < 250_000
    assert msgspec.json.encode(after)


def test_no_memory_of_a_large_job_is_blamed_on_the_next(worker: Start) -> None:
    import sys

    if not sys.platform.startswith("linux"):
        return
    peer = worker("""
import time
@job
def hog():
    return len(bytearray(100_000_000))
@job
def slim():
    time.sleep(0.005)
""")
    peer.run("hog")

    assert peer.run("slim").rss_kb < 90_000
