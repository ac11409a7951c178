"""`python -m jobdeck.worker --socket FD --board FD --target TARGET --files DIR --worker ID`"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from jobdeck.domain.errors import LoadFailed, WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.uniqueness import Kept
from jobdeck.sdk import transport
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.worker import guard
from jobdeck.worker.board import Board
from jobdeck.worker.coroutines import Coroutines
from jobdeck.worker.inbox import Inbox
from jobdeck.worker.outbox import Outbox
from jobdeck.worker.output import Output
from jobdeck.worker.protocol import NotLoaded, Ready
from jobdeck.worker.runner import Runner
from jobdeck.worker.runtime import SocketRuntime
from jobdeck.worker.target import load_target
from jobdeck.worker.wear import Wear


class PoolTransport:
    """Jobs that a running job enqueues: its pool creates them."""

    def __init__(self, runtime: SocketRuntime) -> None:
        self._runtime = runtime

    def enqueue(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None = None
    ) -> list[int]:
        """As `Transport.enqueue`."""
        job = self._runtime.speaker()
        if job is None:
            raise WrongState("No job runs here; only a running job may enqueue.")
        body = {"items": list(items), "manifest": manifest}
        made = self._runtime.of(job).call(job, "enqueue", body)
        kept = set(made["kept"])
        return [Kept(each) if at in kept else each for at, each in enumerate(made["ids"])]


def main(arguments: Sequence[str]) -> int:
    """Load the target, run jobs until told to end, and give the exit status."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    # The terminal's Ctrl-C is for the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guard.lead_group()
    guard.die_with_parent()
    connection = guard.connect(int(given["--socket"]))
    board = Board(int(given["--board"]))
    os.set_inheritable(board.fd, False)
    with contextlib.suppress(OSError, ValueError):
        faulthandler.enable(2)
    outbox = Outbox(connection, guard.die)
    coroutines = Coroutines()
    runtime = SocketRuntime(Path(given["--files"]), outbox, coroutines)
    runtime.inbox = inbox = Inbox(connection, outbox, runtime.alarm, guard.die)
    inbox.stop_asked = runtime.stop_asked
    inbox.start()
    output = Output(runtime)
    output.install()
    target = given.get("--target", "")
    sys.argv = [target]
    try:
        loaded = load_target(target)
    except LoadFailed as error:
        outbox.put(NotLoaded(str(error), error.detail))
        outbox.flush()
        return 3
    transport.use(PoolTransport(runtime))
    pipelines = loaded.pipelines
    plans = {name: pipeline.plan for name, pipeline in pipelines.items()}
    runner = Runner(plans, runtime, outbox, board, output, coroutines)
    runner.share(int(given.get("--coroutines", 1)))
    gc.collect()
    gc.freeze()
    runner.wear = Wear(int(given.get("--jobs", 0)), int(given.get("--memory", 0)) // 1024)
    outbox.put(Ready(os.getpid(), {n: p.manifest.fingerprint for n, p in pipelines.items()}))
    outbox.flush()
    runner.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Not by returning: a thread of user code must not keep the process alive.
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    os._exit(status)
