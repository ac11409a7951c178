"""Starts the processes of Jobdeck, keeps them alive, and takes all of them with it at its end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any

from msgspec import Struct

END_S = 7.0
"""Seconds that the processes have to end by themselves before they are killed."""

KILLED_S = 1.5
"""Seconds that a killed process may take to vanish; only one stuck in the kernel takes longer."""

QUICK_S = 10.0
"""A process that lived for less than this died quickly."""

QUICK_DEATHS = 6
"""After so many in a row the supervisor gives up."""

RESTART_S = (0.05, 0.5, 1.0, 2.0, 4.0)

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>


class ChildSpec(Struct, frozen=True, kw_only=True):
    """A process to keep alive. It reads `config` from its standard input, which stays open for
    as long as the supervisor lives: no secret is on a command line or in an environment."""

    name: str
    argv: Sequence[str]
    config: bytes = b""
    fds: tuple[int, ...] = ()


class _Child:
    """One that runs, or waits to be started again."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.start_at: float | None = None
        self.quick_deaths = 0
        self.told = False

    def start(self) -> None:
        self.start_at = None
        self.told = False
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.spec.argv,
            stdin=subprocess.PIPE,
            pass_fds=self.spec.fds,
            start_new_session=True,
        )

    def tell(self, line: bytes) -> None:
        self.told = True
        if self.process and self.process.stdin:
            with contextlib.suppress(OSError):  # it has died: its end says so
                self.process.stdin.write(line + b"\n")
                self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Signal its process group, which has its process's number."""
        if self.process and self.process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, number)

    def forget(self) -> None:
        if self.process and self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.process = None


class Supervisor:
    """Keeps processes alive until it is told to end; a context manager that leaves none behind.

    For the main thread only: the system ends a process with the thread that started it.
    """

    def __init__(self, *, end_s: float = END_S) -> None:
        self._end_s = end_s
        self._children: dict[str, _Child] = {}
        self._wake, self._wakened = socket.socketpair()
        for end in (self._wake, self._wakened):
            end.setblocking(False)
        self._exit_code = 0
        self._ending = False
        self._kill_at: float | None = None
        self._leave_at: float | None = None
        _adopt_orphans()

    def __enter__(self) -> Supervisor:
        """From now on SIGTERM and SIGHUP, too, leave the block before they end the process."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _leave)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill what still runs: nothing, after `run`."""
        for child in self._children.values():
            child.send(signal.SIGKILL)
        for child in self._children.values():
            if child.process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(KILLED_S)
            child.forget()
        _kill_descendants(set())
        self._wake.close()
        self._wakened.close()

    def warm_up(self, spec: ChildSpec) -> None:
        """Start a process that will wait for its configuration: it imports meanwhile."""
        child = self._children[spec.name] = _Child(spec)
        child.start()

    def tell(self, name: str, line: bytes) -> None:
        """Write a line to the standard input of the process of that name."""
        self._children[name].tell(line)

    def keep(self, spec: ChildSpec, *, after_s: float = 0.0) -> None:
        """Keep a process alive: start it after so many seconds, unless it was warmed up, and
        tell it its configuration unless it was told something already."""
        child = self._children.setdefault(spec.name, _Child(spec))
        child.spec = spec
        if child.process is None and after_s:
            child.start_at = time.monotonic() + after_s
            return
        if child.process is None:
            child.start()
        if not child.told:
            child.tell(spec.config)

    def end(self, exit_code: int = 0) -> None:
        """Let `run` end everything and return that. Asked again: without waiting."""
        if self._ending:
            self._kill_at = 0.0
        self._ending = True
        self._exit_code = self._exit_code or exit_code

    def run(self) -> int:
        """Watch over the processes until told to end, by SIGINT, SIGTERM or SIGHUP. SIGUSR1 is
        passed on to the pool as SIGHUP: it replaces its workers.

        Returns the exit code: 0, unless a process could not be kept alive.
        """
        selector = selectors.DefaultSelector()
        selector.register(self._wake, selectors.EVENT_READ)
        previous = signal.set_wakeup_fd(self._wakened.fileno(), warn_on_full_buffer=False)
        handlers = [(number, signal.signal(number, act)) for number, act in self._handlers()]
        try:
            self._reap()
            while self._children:
                if selector.select(self._patience()):
                    self._drain()
                self._reap()
                self._ending_turn() if self._ending else self._start_due()
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in handlers:
                signal.signal(number, handler)
            selector.close()
        return self._exit_code

    def _handlers(self) -> list[tuple[signal.Signals, Callable[[int, FrameType | None], Any]]]:
        def end(*_: object) -> None:
            self.end()

        found: list[tuple[signal.Signals, Callable[[int, FrameType | None], Any]]] = [
            (signal.SIGCHLD, lambda *_: None),
            (signal.SIGINT, end),
            (signal.SIGTERM, end),
            (signal.SIGUSR1, self._recycle),
        ]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
            found.append((signal.SIGHUP, end))
        return found

    def _recycle(self, *_: object) -> None:
        child = self._children.get("pool")
        if child and child.process and child.process.returncode is None:
            with contextlib.suppress(OSError):
                child.process.send_signal(signal.SIGHUP)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake.recv(4096):
                pass

    def _patience(self) -> float | None:
        times = [child.start_at for child in self._children.values()]
        if self._ending:
            times = [0.0 if self._leave_at is None else self._leave_at, self._kill_at]
        due = [at for at in times if at is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    # -- deaths ----------------------------------------------------------------------------

    def _reap(self) -> None:
        for child in list(self._children.values()):
            process = child.process
            if process and _is_dead(process):
                # What it leaves of its group goes with it: another takes its place.
                child.send(signal.SIGKILL)
                process.wait()
                self._bury(child, process)
        _reap_adopted(self._own())

    def _own(self) -> set[int]:
        return {child.process.pid for child in self._children.values() if child.process}

    def _bury(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        name, how = child.spec.name, ending_of(process.returncode)
        lived = time.monotonic() - child.started_at
        child.forget()
        if self._ending:
            del self._children[name]
            return
        _kill_descendants(self._own())
        child.quick_deaths = child.quick_deaths + 1 if lived < QUICK_S else 1
        if child.quick_deaths < QUICK_DEATHS:
            wait = RESTART_S[min(child.quick_deaths, len(RESTART_S)) - 1]
            child.start_at = time.monotonic() + wait
            _log().warning(f"{name} {how}; starting it again", pid=process.pid)
            return
        _log().error(
            f"{name} {how} soon after its start, {child.quick_deaths} times in a row; giving up"
        )
        self.end(1)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.start_at is not None and child.start_at <= now:
                try:
                    child.start()
                except OSError as error:
                    child.start_at = now + RESTART_S[-1]
                    _log().error(f"cannot start {child.spec.name}", error=str(error))
                else:
                    child.tell(child.spec.config)

    # -- the end ---------------------------------------------------------------------------

    def _ending_turn(self) -> None:
        now = time.monotonic()
        if self._leave_at is None:
            self._leave_at = now + self._end_s + KILLED_S
            self._kill_at = now + self._end_s if self._kill_at is None else self._kill_at
            for name, child in list(self._children.items()):
                if child.process is None:
                    del self._children[name]
                child.send(signal.SIGTERM)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._leave_at = min(self._leave_at, now + KILLED_S)
            for name, child in self._children.items():
                _log().warning(f"{name} does not end; killing it")
                child.send(signal.SIGKILL)
        if now >= self._leave_at:
            self._children.clear()


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def ending_of(code: int) -> str:
    """How a process ended, in words, from its return code."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _adopt_orphans() -> None:
    """Become the parent of whatever a child leaves behind, so that it can be found; where the
    system cannot do that, the children's own watch over their parent must do."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def _is_dead(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; its number stays its own until it is waited for."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    try:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, flags) is not None
    except ChildProcessError:
        return True


def _reap_adopted(own: set[int]) -> None:
    """Take the exit codes of dead processes that this one did not start."""
    if sys.platform != "linux":  # elsewhere nobody is adopted
        return
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    with contextlib.suppress(ChildProcessError):
        while True:
            dead = os.waitid(os.P_ALL, 0, flags)
            if dead is None or dead.si_pid in own:
                return
            os.waitpid(dead.si_pid, 0)


def _kill_descendants(spared: set[int]) -> None:
    """Kill every process that descends from this one, but for the children `spared` and what
    descends from them, and wait until they are gone."""
    import psutil

    this, deadline = psutil.Process(), time.monotonic() + KILLED_S
    while time.monotonic() < deadline:
        left = []
        for child in this.children():
            with contextlib.suppress(psutil.Error):
                if child.pid not in spared and child.status() != psutil.STATUS_ZOMBIE:
                    left += [child, *child.children(recursive=True)]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _reap_adopted(spared)
        if not left:
            return
        # Those who are not our own children only vanish once they are adopted and reaped.
        time.sleep(0.005)


def _log() -> Any:
    import structlog  # not above: it takes a while, and is needed only when something is wrong

    return structlog.get_logger()
