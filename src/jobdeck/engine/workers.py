"""A worker process from its pool's side: starting it, talking with it, ending it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence

import msgspec
import psutil

from jobdeck.domain.clock import Micros
from jobdeck.engine.handed import Handed
from jobdeck.engine.options import WorkerOptions
from jobdeck.worker.board import Board
from jobdeck.worker.loader import user_environment
from jobdeck.worker.protocol import (
    FrameBuffer,
    JobSpec,
    Recall,
    Run,
    Stop,
    ToPool,
    ToWorker,
    decode_to_pool,
    frame,
)

_CHUNK = 1 << 18


class WorkerProcess:
    """One worker with the jobs it was handed, oldest first.

    Writing never blocks the pool: what the socket does not take stays in `outgoing`.
    """

    def __init__(self, worker_id: int, pool_id: int, options: WorkerOptions, now: Micros) -> None:
        self.id = worker_id
        self.pool_id = pool_id
        self.started_at = now
        self.ready = False
        self.ended = False
        self.leaving = False
        self.versions: dict[str, str] = {}
        self.failure = ""
        self.handed: deque[Handed] = deque()
        self.handed_at: Micros = 0
        self.load = 0.0
        self.outgoing = bytearray()
        self.killed = False
        self._numbers = 0
        self._incoming = FrameBuffer()
        self.socket, theirs = socket.socketpair()
        self.socket.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
            theirs.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
        self.board = Board.create()
        self.outputs = (
            {"stdout": os.pipe2(os.O_CLOEXEC), "stderr": os.pipe2(os.O_CLOEXEC)}
            if (hasattr(os, "pipe2"))
            else {"stdout": os.pipe(), "stderr": os.pipe()}
        )
        arguments = ["--socket", str(theirs.fileno()), "--board", str(self.board.fd)]
        arguments += ["--target", options.target, "--files", str(options.files)]
        arguments += ["--worker", str(worker_id), "--jobs", str(options.jobs)]
        arguments += ["--memory", str(options.memory or 0)]
        arguments += ["--coroutines", str(options.coroutines)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobdeck.worker", *arguments],
            pass_fds=(theirs.fileno(), self.board.fd),
            stdin=subprocess.DEVNULL,
            stdout=self.outputs["stdout"][1],
            stderr=self.outputs["stderr"][1],
            start_new_session=True,
            env=user_environment(),
        )
        theirs.close()
        for read_end, write_end in self.outputs.values():
            os.close(write_end)
            os.set_blocking(read_end, False)
        self.process_started_at = _process_start(self.process.pid)

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group too."""
        return self.process.pid

    def send(self, message: ToWorker) -> None:
        """Send, or keep for later what the socket does not take."""
        data = frame(message)
        if not self.outgoing:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # it has died; whoever waits for its end will see
            data = data[sent:]
        self.outgoing += data

    def flush(self) -> None:
        """Send what was kept."""
        try:
            while self.outgoing:
                sent = self.socket.send(memoryview(self.outgoing)[:_CHUNK])
                del self.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.outgoing.clear()

    def receive(self) -> list[ToPool]:
        """All messages that have arrived; sets `ended` at the end of the stream.

        A peer that breaks the protocol (user code can write to any descriptor) is ended too.
        """
        messages: list[ToPool] = []
        try:
            while True:
                data = self.socket.recv(_CHUNK)
                if not data:
                    self.ended = True
                    break
                messages += [decode_to_pool(body) for body in self._incoming.feed(data)]
                if len(data) < _CHUNK:
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        except (ValueError, msgspec.MsgspecError):
            self.failure = "sent bytes that are no message"
            self.ended = True
        return messages

    @property
    def shared(self) -> bool:
        """Whether jobs that may run side by side are what it is busy with."""
        return bool(self.handed) and self.handed[0].shares

    def hand(self, specs: list[JobSpec], jobs: list[Handed], now: Micros) -> None:
        """Send the jobs; they are its own from now on."""
        self.handed_at = now
        for job in jobs:
            self._numbers += 1
            job.number = self._numbers
            job.pool_id, job.worker_id = self.pool_id, self.id
            self.load += job.cost
        self.handed.extend(jobs)
        self.send(Run(specs))

    def take(self, job_id: int, claim: int) -> Handed | None:
        """The job with that claim, which then is no longer in its hands."""
        handed = self.handed
        if handed and handed[0].claimed.job_id == job_id and handed[0].claimed.claim == claim:
            found: Handed | None = handed.popleft()
        else:
            found = self.find(job_id, claim)
            if found is not None:
                handed.remove(found)
        if found is not None:
            self.load = self.load - found.cost if handed else 0.0
        return found

    def find(self, job_id: int, claim: int) -> Handed | None:
        """The job with that claim, if it is in its hands."""
        return next((job for job in self.handed if job.key == (job_id, claim)), None)

    def running(self) -> list[Handed]:
        """The jobs that it runs by its own account, the oldest first, with `began_at` set."""
        if not self.board.shared():
            job = self._current()
            return [] if job is None else [job]
        began = self.board.slots()
        found = [job for job in self.handed if job.number in began]
        for job in found:
            if job.began_at is None:
                job.begin(began[job.number])
        return found

    def _current(self) -> Handed | None:
        begun, done, at = self.board.read()
        if begun <= done:
            return None
        for job in self.handed:
            if job.number == begun:
                if job.began_at is None:
                    job.begin(at)
                return job
            if job.number > begun:
                break
        return None

    def recall(self, jobs: Sequence[Handed]) -> None:
        """Ask back those of the jobs that have not begun."""
        begun, _, _ = self.board.read()
        waiting = [job for job in jobs if job.number > begun and not job.recalled]
        if waiting:
            for job in waiting:
                job.recalled = True
            self.send(Recall([job.key for job in waiting]))

    def ask_to_stop(self, job: Handed, why: str) -> None:
        """Let the job stop by itself."""
        self.send(Stop(job.claimed.job_id, job.claimed.claim, why))

    def kill(self) -> None:
        """Kill its whole process group, now."""
        self.killed = True
        kill_group(self.pid)

    def close(self) -> None:
        """Wait for its end and let go of everything; it has been told to end, or killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.2)
        if self.process.returncode is None:
            self.kill()
            self.process.wait()
        # What it started in its group must not outlive it.
        kill_group(self.pid)
        self.socket.close()
        self.board.close()
        for read_end, _ in self.outputs.values():
            os.close(read_end)

    def struck_down(self) -> bool:
        """Whether SIGKILL has ended it."""
        return self.process.poll() == -signal.SIGKILL

    def death(self) -> str:
        """How it ended, in words."""
        if self.failure:
            return f"its worker {self.failure}"
        code = self.process.poll()
        if code is None:
            return "its worker closed the connection"
        if code < 0:
            return f"its worker was ended by {signal.Signals(-code).name}"
        return f"its worker exited with {code}"


def kill_group(pid: int) -> None:
    """SIGKILL to the process group of that number, if it exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _process_start(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0
