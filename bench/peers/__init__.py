"""Other job queues on the same machine in the same run, each in an environment of its own.

What runs inside those environments (`celery_app.py`, `pgqueuer_app.py`) knows nothing of Jobdeck.
Their no-op jobs note when they started by one small write, so that all are measured alike: a
backlog is there, two processes work, and the rate is that between the first start and the last.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from bench import postgres

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Figures(Struct, frozen=True):
    """What was measured of a peer: jobs run a second, jobs enqueued a second, and the seconds
    from each enqueue call to the start of the job when idle."""

    drained: float
    enqueued: float
    waits: list[float]


def environment(name: str) -> Path:
    """The Python of an environment with exactly what `requirements/bench-{name}.txt` locks."""
    folder = ROOT / "build" / "peers" / name
    lock = ROOT / "requirements" / f"bench-{name}.txt"
    stamp = folder / "installed.txt"
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)]
        subprocess.run([str(python), *install], check=True)
        stamp.write_text(lock.read_text())
    return python


def celery(jobs: int, samples: int) -> Figures:
    """Celery on Redis with its results kept there: its usual pool of two processes, without
    gossip, mingle and heartbeats, fetching 1,000 messages ahead for each process."""
    python = environment("celery")
    with _redis() as address:
        return _measure(python, "celery_app.py", address, jobs, samples)


def pgqueuer(jobs: int, samples: int) -> Figures:
    """PgQueuer on PostgreSQL as it is quickest: two processes on uvloop, batches of 1,000. Its
    jobs run inside the process that owns the connection."""
    python = environment("pgqueuer")
    with postgres.server() as address:
        return _measure(python, "pgqueuer_app.py", address, jobs, samples)


def missing() -> list[str]:
    """What the peers need and is not there."""
    return [] if shutil.which("redis-server") else ["redis-server (Debian: apt-get install)"]


def _measure(python: Path, app: str, address: str, jobs: int, samples: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(HERE / app), address, str(jobs), str(samples)]
        answer = subprocess.run(
            command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True, timeout=600
        )
    told = json.loads(answer.stdout.splitlines()[-1])
    return Figures(told["drained"], told["enqueued"], told["waits"])


@contextmanager
def _redis() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
