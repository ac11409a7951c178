"""What jobs print and log, and whose it is."""

from __future__ import annotations

from collections.abc import Callable

from jobdeck.domain import limits
from jobdeck.worker.protocol import Run
from tests.integration.worker.peer import Peer, read_all

Start = Callable[[str], Peer]


def test_what_a_job_prints_and_logs_is_its_own(worker: Start) -> None:
    peer = worker("""
import logging, sys, warnings
log = logging.getLogger("shop")
@job
def talk(ctx: Context, n: int):
    print("out", n)
    print("err", n, file=sys.stderr)
    log.info("logged %d", n, extra={"order": n})
    logging.warning("root")
    ctx.log.info("told", rows=n)
    sys.stdout.write("no end of line")
    sys.stdout.buffer.write(b"bytes\\n")
    sys.stdout.reconfigure(line_buffering=True)
    print("last", end="")
""")
    specs = [peer.spec("talk", n=n) for n in range(3)]
    peer.send(Run(specs))

    for n, spec in enumerate(specs):
        lines = peer.lines(spec)
        assert [(line.stream, line.level, line.message) for line in lines] == [
            ("stdout", "info", f"out {n}"),
            ("stderr", "warning", f"err {n}"),
            ("log", "info", f"logged {n}"),
            ("log", "warning", "root"),
            ("log", "info", "told"),
            ("stdout", "info", "no end of linebytes"),
            ("stdout", "info", "last"),
        ]
        assert [line.seq - lines[0].seq for line in lines] == list(range(7))
        assert {line.step for line in lines} == {"talk"}
        assert lines[2].fields == b'{"logger":"shop","order":%d}' % n
        assert lines[4].fields == b'{"rows":%d}' % n


def test_lines_arrive_while_the_job_runs(worker: Start) -> None:
    peer = worker("@job\ndef slow(ctx):\n    print('begun')\n    ctx.sleep(600)")
    spec = peer.start("slow")

    peer.until_said(spec, "begun")

    peer.stop(spec)
    peer.outcome(spec)


def test_the_number_and_length_of_lines_is_bounded(worker: Start) -> None:
    peer = worker("""
@job
def flood():
    print("x" * 1_000_000)
    print("y" * 1_000_000, end="")
    print("z" * 1_000_000)
    for n in range(102_000):
        print(n)
@job
def wide():
    for n in range(3_000):
        print("x" * 8_000)
@job
def quiet():
    print("heard")
""")
    spec = peer.start("flood")
    lines = peer.lines(spec)

    assert len(lines) == limits.LOG_LINES + 1
    assert all(len(line.message) <= limits.LOG_LINE_CHARS + 20 for line in lines)
    assert "not kept" in lines[-1].message
    lines = peer.lines(peer.start("wide"))
    assert sum(len(line.message) for line in lines) < limits.LOG_CHARS + 1_000
    assert "not kept" in lines[-1].message
    assert peer.said(peer.start("quiet")) == ["heard"]


def test_what_is_printed_outside_of_a_job_or_at_the_descriptor_goes_there(worker: Start) -> None:
    peer = worker("""
import os, subprocess, sys
print("loading")
@job
def low():
    os.write(1, b"written low\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    os.write(2, b"err low\\n")
""")
    assert b"loading\n" in read_all(peer.stdout, b"loading\n")

    spec = peer.start("low")

    assert read_all(peer.stdout, b"child\n") == b"written low\nfrom a child\n"
    assert read_all(peer.stderr, b"low\n") == b"err low\n"
    assert peer.said(spec) == []


def test_threads_speak_for_the_job_that_started_them(worker: Start) -> None:
    peer = worker("""
import logging, threading, time
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(1)
begun, over = threading.Event(), threading.Event()
def late():
    print("in time")
    begun.set()
    over.wait()
    print("too late"); logging.warning("too late")
@job
def starts(ctx):
    global held
    held = ctx
    threading.Thread(target=late).start()
    pool.submit(print, "pooled one").result()
    begun.wait()
@job
def next(ctx):
    print("mine")
    over.set()
    held.log.info("too late"); held.progress(1); held.counts.add(read=1)
    time.sleep(0.05)
    pool.submit(print, "pooled two").result()
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and thread.name.startswith("Thread-"):
            thread.join()
""")
    first, second = peer.start("starts"), peer.start("next")

    assert sorted(peer.said(first)) == ["in time", "pooled one"]
    assert peer.said(second) == ["mine", "pooled two"]
    assert peer.reports(second) == []


def test_a_job_that_changes_its_surroundings_changes_its_own_only(worker: Start) -> None:
    peer = worker("""
import os, signal, sys
@job
def spoils():
    sys.stdout = sys.stderr = None
    os.chdir("/")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
@job
def closes():
    sys.stdout.close()
    sys.stderr.close()
@job
def talks():
    print("heard")
@job
def where():
    return os.getcwd()
""")
    assert peer.run("spoils").status == "completed"
    assert peer.said(peer.start("talks")) == ["heard"]
    assert peer.result("where") == str(peer.folder)
    assert peer.run("closes").status == "completed"
    assert peer.said(peer.start("talks")) == ["heard"]
