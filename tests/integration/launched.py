"""Starting commands as a user does, watching their processes, and leaving none behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from tests import evidence

PATIENCE_S = 60.0
_LINK = re.compile(r"(http://\S+?)/sign-in\?token=(\S+)")


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fail with `what` if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def environment(**more: str) -> dict[str, str]:
    """That of the tests, without settings of Jobdeck but those given."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("JOBDECK_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


class Launched:
    """A program with what it says; leaving the block ends it and all that it started."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: dict[str, str] | None = None
    ) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._seen: dict[int, psutil.Process] = {}
        evidence.offer(self, f"Said by {' '.join(argv[1:])[:200]}", self.said)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.descendants()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for process in self._seen.values():
            with contextlib.suppress(psutil.Error):
                process.kill()
        evidence.withdraw(self)
        if error is not None:
            sys.stderr.write(self.said())
        self._said.close()

    def said(self) -> str:
        """Everything written to standard output and error."""
        size = os.fstat(self._said.fileno()).st_size
        return os.pread(self._said.fileno(), size, 0).decode(errors="replace")

    def wait_for(self, text: str, seconds: float = PATIENCE_S) -> None:
        """Wait until it has said that."""

        def has() -> bool:
            if text in self.said():
                return True
            assert self.process.poll() is None, f"ended without {text!r}: {self.said()}"
            return False

        until(has, f"saying {text!r}", seconds)

    def link(self) -> tuple[str, str]:
        """The address and the token of the link that it prints when it is ready."""
        self.wait_for("/sign-in?token=")
        until(lambda: _LINK.search(self.said()), "a whole link")
        found = _LINK.search(self.said())
        assert found
        return found[1], found[2]

    def descendants(self) -> list[psutil.Process]:
        """Every process that it started, directly or not; they are remembered."""
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                self._seen[process.pid] = process
        return [process for process in self._seen.values() if alive(process)]

    def child(self, role: str) -> psutil.Process:
        """The child of that role; waits until there is one."""
        found: list[psutil.Process] = []

        def look() -> bool:
            found[:] = [
                process
                for process in psutil.Process(self.process.pid).children()
                if _is_role(process, role)
            ]
            return bool(found)

        until(look, f"a process of the role {role}")
        return found[0]

    def end(self, number: signal.Signals = signal.SIGINT, seconds: float = PATIENCE_S) -> int:
        """Send a signal, and wait until it and all that it started are gone."""
        self.descendants()
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        self.expect_gone(max(seconds - (time.monotonic() - started), 0.1))
        return code

    def expect_gone(self, seconds: float = PATIENCE_S) -> None:
        """Fail if anything that it started is still there after that time."""
        until(lambda: not self.descendants(), "the end of all processes", seconds)


def alive(process: psutil.Process) -> bool:
    """Whether it runs; one that is dead and not yet reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_role(process: psutil.Process, role: str) -> bool:
    line = command_of(process)
    return "jobdeck.cli.child" in line and role in line


def command_of(process: psutil.Process) -> list[str]:
    """The words that it was started with; none of one that has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
