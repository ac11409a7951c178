"""Stopping, recalling, ending: on request and by force."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from jobdeck.worker.protocol import CheckIn, Exit, Outcomes, Recall, Recalled, Run
from tests.integration.worker.peer import PATIENCE_S, Peer, gone, read_all, wait_until

Start = Callable[[str], Peer]
LOOPS = """
import asyncio, itertools, time
@job
def sleeps(ctx):
    print("begun")
    ctx.sleep(600)
@job
def chunks(ctx):
    print("begun")
    for chunk in ctx.chunks(itertools.repeat(1), 10):
        time.sleep(0.001)
@job
def progress(ctx):
    print("begun")
    for n in itertools.count():
        try:
            ctx.progress(n)
        except Exception:
            pass
@job
def polls(ctx):
    print("begun")
    while not ctx.stop_requested:
        time.sleep(0.001)
    return "tidied up"
@job
async def coroutine():
    print("begun")
    try:
        await asyncio.sleep(600)
    finally:
        print("cancelled")
@job
async def calls(ctx):
    print("begun")
    try:
        await ctx.async_http.get("http://127.0.0.1:9/")
    except Exception:
        await asyncio.sleep(600)
@job
async def stubborn():
    print("begun")
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        return "went on"
@job
async def cancels_itself():
    raise asyncio.CancelledError
@job
def quick(): ...
@job
def hangs():
    print("begun")
    time.sleep(600)
"""


@pytest.mark.parametrize("name", ["sleeps", "chunks", "progress", "coroutine", "calls"])
def test_a_job_that_is_asked_to_stop_stops(worker: Start, name: str) -> None:
    peer = worker(LOOPS)
    spec = peer.start(name)
    peer.until_said(spec, "begun")

    peer.stop(spec)

    outcome = peer.outcome(spec)
    assert (outcome.status, outcome.reason) == ("stopped", "stopped")
    assert peer.run("quick").status == "completed"


@pytest.mark.parametrize(
    ("why", "status", "reason"),
    [
        ("timeout", "failed", "timeout"),
        ("parent_stopped", "stopped", "parent_stopped"),
        ("anything", "stopped", "stopped"),
    ],
)
def test_why_it_was_stopped_is_the_reason(
    worker: Start, why: str, status: str, reason: str
) -> None:
    peer = worker(LOOPS)
    spec = peer.start("sleeps")
    peer.until_said(spec, "begun")

    peer.stop(spec, why)

    outcome = peer.outcome(spec)
    assert (outcome.status, outcome.reason) == (status, reason)


@pytest.mark.parametrize(("name", "result"), [("polls", "tidied up"), ("stubborn", "went on")])
def test_a_job_that_completes_all_the_same_is_completed(
    worker: Start, name: str, result: str
) -> None:
    peer = worker(LOOPS)
    spec = peer.start(name)
    peer.until_said(spec, "begun")

    peer.stop(spec)

    outcome = peer.outcome(spec)
    assert outcome.status == "completed"
    assert outcome.result == f'"{result}"'.encode()


def test_a_coroutine_that_cancels_itself_has_failed(worker: Start) -> None:
    peer = worker(LOOPS)

    assert peer.run("cancels_itself").status == "failed"


def test_a_stop_is_for_that_job_and_claim_only(worker: Start) -> None:
    peer = worker(LOOPS)
    first = peer.start("sleeps")
    peer.until_said(first, "begun")
    peer.stop(peer.spec("other"))
    peer.stop(type(first)(first.job, first.claim + 1, 1, "", "", b""))
    second = peer.spec("sleeps")
    peer.send(Run([second]))
    peer.stop(second)
    peer.stop(first)

    assert peer.outcome(first).status == "stopped"
    assert peer.outcome(second).status == "stopped"
    assert peer.said(second) == []


def test_what_has_not_begun_is_given_back_when_it_is_recalled(worker: Start) -> None:
    peer = worker(LOOPS)
    first = peer.spec("sleeps")
    rest = [peer.spec("quick") for _ in range(5)]
    peer.send(Run([first, *rest]))
    peer.until_said(first, "begun")

    asked = [(spec.job, spec.claim) for spec in [first, *rest[:3]]]
    peer.send(Recall(asked))

    assert peer.first(Recalled).claims == asked[1:]
    assert peer.board.read()[:2] == (1, 0)
    peer.stop(first)
    assert peer.outcome(rest[4]).status == "completed"
    wait_until(lambda: peer.board.read()[:2] == (6, 6))
    outcomes = [o.job for message in peer.all(Outcomes) for o in message.items]
    assert outcomes == [first.job, rest[3].job, rest[4].job]


@pytest.mark.parametrize("how", ["frame", "signal"])
def test_told_to_end_it_finishes_what_it_began_and_gives_back_the_rest(
    worker: Start, how: str
) -> None:
    peer = worker(LOOPS)
    first, second = peer.spec("polls"), peer.spec("quick")
    peer.send(Run([first, second]))
    peer.until_said(first, "begun")

    if how == "frame":
        peer.send(Exit())
    else:
        os.kill(peer.process.pid, signal.SIGTERM)
    peer.stop(first)

    assert peer.outcome(first).status == "completed"
    assert peer.first(Recalled).claims == [(second.job, second.claim)]
    assert peer.leave() == 0


def test_an_idle_worker_ends_when_told(worker: Start) -> None:
    peer = worker(LOOPS)
    os.kill(peer.process.pid, signal.SIGINT)
    assert peer.run("quick").status == "completed"

    assert peer.leave() == 0


def test_after_a_kill_the_board_tells_what_ran(worker: Start) -> None:
    peer = worker(LOOPS)
    specs = [peer.spec("quick"), peer.spec("hangs"), peer.spec("quick")]
    peer.send(Run(specs))
    peer.until_said(specs[1], "begun")

    os.kill(peer.process.pid, signal.SIGKILL)

    assert peer.outcome(specs[0]).status == "completed"
    begun, done, at = peer.board.read()
    assert (begun, done) == (2, 1)
    assert at > 0


HOLDER = """
import socket, subprocess, sys, time
from jobdeck.worker.board import Board
mine, theirs = socket.socketpair()
board = Board.create()
worker = subprocess.Popen(
    [sys.executable, "-m", "jobdeck.worker", "--socket", str(theirs.fileno()), "--board",
     str(board.fd), "--target", sys.argv[1], "--files", "files", "--worker", "1"],
    pass_fds=(theirs.fileno(), board.fd), start_new_session=True,
)
theirs.close()
from jobdeck.worker.protocol import JobSpec, Run, frame
mine.sendall(frame(Run([JobSpec(1, 1, 1, "busy", "busy", b"{}")])))
print(worker.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(600)",
        "hashlib.pbkdf2_hmac('sha256', b'x', b'y', 2_000_000_000)",
        "sum(range(10**12))",
        "re.match(r'(a+)+$', 'a' * 60 + 'b')",
        "asyncio.run(asyncio.sleep(600))",
    ],
)
def test_a_worker_whose_pool_died_is_gone_within_a_second(tmp_path: Path, body: str) -> None:
    holds_the_lock = body.startswith(("sum", "re."))
    if holds_the_lock and not sys.platform.startswith("linux"):
        pytest.skip("only Linux can kill a process that never lets go of the interpreter")
    path = tmp_path / "pipelines.py"
    path.write_text(
        "import asyncio, hashlib, os, re, time\nfrom jobdeck import job\n"
        f"@job\ndef busy():\n    os.write(1, b'begun\\n')\n    {body}\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        told = read_all(holder.stdout.fileno(), b"begun\n")
        pid = int(told.split()[0])
        assert not gone(pid)

        holder.kill()

        # Usually within some milliseconds, and long before the job would have ended.
        assert wait_until(lambda: gone(pid)) < 10
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_what_a_job_started_dies_with_the_worker_when_the_connection_ends(worker: Start) -> None:
    peer = worker("""
import subprocess, sys
@job
def spawns(ctx):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    ctx.progress(child.pid)
    child.wait()
""")
    peer.start("spawns")
    child = peer.first(CheckIn).done

    peer.socket.shutdown(socket.SHUT_RDWR)

    wait_until(lambda: gone(child))
    assert peer.process.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_forked_child_is_not_a_second_worker(worker: Start) -> None:
    peer = worker(
        textwrap.dedent("""
    import multiprocessing, os, sys
    @job
    def falls_through(ctx):
        pid = os.fork()
        if pid == 0:
            print("child", flush=True)
            ctx.progress(99)
            return "from the child"
        os.waitpid(pid, 0)
        return "from the parent"
    @job
    def raises():
        pid = os.fork()
        if pid == 0:
            raise ValueError
        return os.waitpid(pid, 0)[1]
    @job
    def pooled():
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2])
    @job
    def quick(): ...
    """)
    )
    specs = [peer.start("falls_through"), peer.start("raises"), peer.start("pooled")]

    assert peer.outcome(specs[0]).result == b'"from the parent"'
    assert peer.outcome(specs[1]).result == b"0"
    assert peer.outcome(specs[2]).result == b"[1,2]"
    assert peer.all(CheckIn) == []
    assert read_all(peer.stdout, b"child\n") == b"child\n"
    assert peer.run("quick").status == "completed"
    assert peer.board.read()[:2] == (4, 4)


def test_code_that_closes_descriptors_does_not_cut_the_worker_off(worker: Start) -> None:
    peer = worker("""
import os
@job
def closes():
    os.closerange(0, 150)
@job
def quick(): ...
""")
    assert peer.run("closes").status == "completed"
    assert peer.run("quick").status == "completed"


@pytest.mark.parametrize(
    "body",
    ["sys.exit(3)", "raise KeyboardInterrupt", "raise GeneratorExit", "raise MemoryError", "f()"],
)
def test_whatever_a_job_raises_the_worker_goes_on(worker: Start, body: str) -> None:
    peer = worker(
        "import sys\ndef f():\n    return f()\n"
        f"@job\ndef fails():\n    {body}\n@job\ndef quick(): ...\n"
    )

    outcome = peer.run("fails")

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "pipelines.py" in outcome.error.traceback
    assert peer.run("quick").status == "completed"


def test_a_thread_that_never_ends_does_not_keep_the_worker(worker: Start) -> None:
    peer = worker("""
import threading, time
@job
def starts():
    threading.Thread(target=time.sleep, args=(600,)).start()
""")
    assert peer.run("starts").status == "completed"
    assert peer.leave() == 0
