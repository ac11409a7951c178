"""The pool's side of a worker, for tests: starts a real one and listens to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from jobdeck.worker.board import Board
from jobdeck.worker.protocol import (
    Call,
    DoneStep,
    Exit,
    FrameBuffer,
    JobSpec,
    LogEntry,
    Logs,
    Outcome,
    Outcomes,
    Ready,
    Reply,
    Run,
    StepReport,
    Stop,
    ToPool,
    ToWorker,
    decode_to_pool,
    frame,
)

T = TypeVar("T")
PATIENCE_S = 60.0


class Peer:
    """A worker that runs `code`, the text of a module, or `target` as it is."""

    def __init__(self, folder: Path, code: str | None = None, target: str = "") -> None:
        self.folder = folder
        self.files = folder / "files"
        if code is not None:
            target = str(folder / "pipelines.py")
            Path(target).write_text(code)
        self.socket, theirs = socket.socketpair()
        self.board = Board.create()
        self.stdout, out = os.pipe()
        self.stderr, err = os.pipe()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jobdeck.worker", "--socket", str(theirs.fileno())),
                *("--board", str(self.board.fd), "--target", target),
                *("--files", str(self.files), "--worker", "1"),
            ],
            pass_fds=(theirs.fileno(), self.board.fd),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            cwd=folder,
        )
        theirs.close()
        os.close(out)
        os.close(err)
        self.heard: list[ToPool] = []
        self.closed = False
        self._buffer = FrameBuffer()
        self._claims = 0

    def close(self) -> None:
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.socket.close()
        self.board.close()
        os.close(self.stdout)
        os.close(self.stderr)

    def send(self, message: ToWorker) -> None:
        self.socket.sendall(frame(message))

    def hear(self) -> bool:
        """Take in what comes next; False at the end of the stream."""
        self.socket.settimeout(PATIENCE_S)
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return False
        self.heard += [decode_to_pool(body) for body in self._buffer.feed(data)]
        return True

    def until(self, find: Callable[[], T | None], words: str = "what is expected") -> T:
        """Listen until `find` gives something."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = find()
            if found is not None:
                return found
            assert time.monotonic() < deadline, f"{words} never came: {self.heard}"
            assert self.hear(), f"the worker has ended before {words} came: {self.heard}"

    def all(self, kind: type[T]) -> list[T]:
        return [message for message in self.heard if isinstance(message, kind)]

    def first(self, kind: type[T]) -> T:
        return self.until(lambda: next(iter(self.all(kind)), None), kind.__name__)

    def ready(self) -> Peer:
        self.first(Ready)
        return self

    def spec(self, pipeline: str, /, **params: Any) -> JobSpec:
        self._claims += 1
        number = self._claims
        data = msgspec.json.encode(params)
        return JobSpec(number, 100 + number, 1, pipeline, pipeline, data)

    def start(self, pipeline: str, /, **params: Any) -> JobSpec:
        spec = self.spec(pipeline, **params)
        self.send(Run([spec]))
        return spec

    def outcome(self, spec: JobSpec) -> Outcome:
        def find() -> Outcome | None:
            for message in self.all(Outcomes):
                for outcome in message.items:
                    if (outcome.job, outcome.claim) == (spec.job, spec.claim):
                        return outcome
            return None

        return self.until(find, f"the outcome of job {spec.job}")

    def run(self, pipeline: str, /, **params: Any) -> Outcome:
        return self.outcome(self.start(pipeline, **params))

    def result(self, pipeline: str, /, **params: Any) -> Any:
        outcome = self.run(pipeline, **params)
        assert outcome.status == "completed", outcome
        return None if outcome.result is None else msgspec.json.decode(outcome.result)

    def stop(self, spec: JobSpec, why: str = "stop") -> None:
        self.send(Stop(spec.job, spec.claim, why))

    def lines(self, spec: JobSpec) -> list[LogEntry]:
        self.outcome(spec)
        return [
            line
            for logs in self.all(Logs)
            if (logs.job, logs.claim) == (spec.job, spec.claim)
            for line in logs.lines
        ]

    def said(self, spec: JobSpec) -> list[str]:
        return [line.message for line in self.lines(spec)]

    def until_said(self, spec: JobSpec, text: str) -> None:
        def find() -> bool | None:
            for logs in self.all(Logs):
                if logs.claim == spec.claim and any(text in line.message for line in logs.lines):
                    return True
            return None

        self.until(find, f"the line {text!r}")

    def reports(self, spec: JobSpec) -> list[StepReport]:
        return [r for r in self.all(StepReport) if (r.job, r.claim) == (spec.job, spec.claim)]

    def answer(self, value: Any, error: str = "") -> Call:
        """Answer the first call that nobody has answered."""
        call = self.first(Call)
        self.heard.remove(call)
        self.send(Reply(call.seq, value, error))
        return call

    def leave(self) -> int:
        """Let it end, hear its last words, and give its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self.send(Exit())
        while self.hear():
            pass
        return self.process.wait(PATIENCE_S)


def again(spec: JobSpec, reports: list[StepReport], *, attempt: int = 2) -> JobSpec:
    """The same job for the next attempt, as a pool makes it from the reports of the last."""
    newest = {report.position: report for report in reports}
    done = [
        DoneStep(position, report.result)
        for position, report in sorted(newest.items())
        if report.status == "completed"
    ]
    rest = [report for _, report in sorted(newest.items()) if report.status != "completed"]
    return msgspec.structs.replace(
        spec,
        claim=spec.claim + 1000 * attempt,
        attempt=attempt,
        done=done,
        checkpoint=rest[0].checkpoint if rest else None,
        counts=rest[0].counts if rest else None,
    )


def read_all(fd: int, until: bytes) -> bytes:
    """What arrives at a pipe, until it holds that text."""
    data = b""
    while until not in data:
        piece = os.read(fd, 1 << 16)
        assert piece, data
        data += piece
    return data


def gone(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path("/proc").is_dir()
    return stat.rpartition(")")[2].split()[0] == "Z"


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> float:
    """Wait for it and give the seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - start
