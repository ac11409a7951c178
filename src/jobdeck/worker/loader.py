"""Learning what a target defines without importing it here."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO

import msgspec

from jobdeck.domain.clock import format_duration
from jobdeck.domain.errors import LoadFailed
from jobdeck.domain.manifest import LoadReport

TIMEOUT_S = 60.0
WORDS_BYTES = 8_000
PRIVATE = ("JOBDECK_STORE", "JOBDECK_TOKEN")
"""Settings that user code is not told: they hold credentials."""


def load_manifests(target: str, timeout_s: float = TIMEOUT_S) -> LoadReport:
    """The pipelines of a module or `.py` file, as told by a process of its own, which is ended
    with all that it started.

    Raises:
        LoadFailed: it cannot be loaded, crashed or took too long; `detail` has the traceback
            or the last that it said.
    """
    with tempfile.TemporaryFile() as words:
        data, status = _run(target, timeout_s, words)
        if status is None:
            raise LoadFailed(
                f"{target} was not loaded within {format_duration(timeout_s)}; what takes long "
                "or waits belongs into a step, not into the module.",
                _tail(words),
            )
        try:
            report = msgspec.json.decode(data, type=LoadReport)
        except msgspec.DecodeError:
            raise LoadFailed(
                f"{target} ended the process that loads it ({_how(status)}); what does so "
                'belongs into a step or under `if __name__ == "__main__":`.',
                _tail(words),
            ) from None
    if report.error:
        raise LoadFailed(report.error, report.traceback)
    return report


def user_environment() -> dict[str, str]:
    """The environment for processes that run user code: without Jobdeck's own credentials."""
    return {name: value for name, value in os.environ.items() if name not in PRIVATE}


def _run(target: str, timeout_s: float, words: IO[bytes]) -> tuple[bytes, int | None]:
    """What the loader wrote and its exit status; None if it did not end in time."""
    read_end, write_end = os.pipe()
    numbers = ["--fd", str(write_end), "--parent", str(os.getpid())]
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobdeck.worker.load", target, *numbers],
            pass_fds=(write_end,),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            env=user_environment(),
            start_new_session=True,
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        data = _read(read_end, process, time.monotonic() + timeout_s)
        return (b"", None) if data is None else (data, process.returncode)
    finally:
        os.close(read_end)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(fd: int, process: "subprocess.Popen[bytes]", deadline: float) -> bytes | None:
    """All that comes until the process ends; a child of it may keep the pipe open for ever."""
    os.set_blocking(fd, False)
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(fd, 1 << 16):
                    data += piece
            if ended:
                return bytes(data)
            if time.monotonic() > deadline:
                return None
            selector.select(0.02)


def _tail(words: IO[bytes]) -> str:
    size = words.seek(0, os.SEEK_END)
    words.seek(max(size - WORDS_BYTES, 0))
    return words.read().decode(errors="replace")


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
