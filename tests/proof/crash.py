"""A whole Jobdeck under load whose processes are killed at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from jobdeck.client import Client
from jobdeck.domain.errors import JobdeckError
from tests.integration.launched import Launched, alive, environment

PIPELINES = '''
import os, time
from jobdeck import Context, Pipeline, job

def mark(ctx: Context) -> None:
    """One write, so that lines never mix; it stays whatever is killed."""
    file = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{ctx.job_id} {ctx.attempt}\\n".encode())
    os.close(file)

@job
def quick(ctx: Context) -> None:
    mark(ctx)

@job
def nap(ctx: Context, seconds: float = 0.05) -> None:
    mark(ctx)
    time.sleep(seconds)

@job(retries=2, backoff=0.2)
def flaky(ctx: Context) -> None:
    mark(ctx)
    if ctx.attempt == 1:
        raise ValueError("not yet")

family = Pipeline("family")

@family.step
def split(ctx: Context) -> None:
    ctx.map(quick, [{} for _ in range(3)])

@family.step
def gather(ctx: Context) -> int:
    mark(ctx)
    return sum(child.status != "open" for child in ctx.children())
'''
FLOWS = ("quick", "quick", "quick", "nap", "flaky", "family")
PREYS = (
    *("worker",) * 12,
    *("pool",) * 3,
    *("maintenance",) * 2,
    *("web",) * 2,
    "supervisor",
)


class Site:
    """Several `jobdeck up` on one store. Whoever falls is started again, by its supervisor or,
    if that falls or gives up, here."""

    def __init__(self, store: str, folder: Path, *, starts: int, workers: int) -> None:
        self.store, self.folder = store, folder
        self.marks = folder / "marks"
        self.marks.touch()
        # Short, so that sockets find room in it.
        self.temp = Path(tempfile.mkdtemp(prefix="jobdeck-crash-"))
        (folder / "work.py").write_text(PIPELINES)
        self._argv = [sys.executable, "-m", "jobdeck.cli", "up", "work.py", "--port", "0"]
        self._argv += ["--workers", str(workers)]
        self.ups = [self._start() for _ in range(starts)]
        self.seen: dict[int, psutil.Process] = {}
        for up in self.ups:
            up.link()

    def _start(self) -> Launched:
        env = environment(
            JOBDECK_STORE=self.store,
            JOBDECK_LOG_LEVEL="error",
            MARKS=str(self.marks),
            TMPDIR=str(self.temp),
        )
        return Launched(self._argv, cwd=self.folder, env=env)

    def tend(self) -> int:
        """Start again what has ended; gives how many."""
        ended = [up for up in self.ups if up.process.poll() is not None]
        for up in ended:
            up.expect_gone()
            up.__exit__(None, None, None)
            self.ups.remove(up)
            self.ups.append(self._start())
        return len(ended)

    def preys(self) -> dict[str, list[psutil.Process]]:
        """All processes by their role."""
        found: dict[str, list[psutil.Process]] = {role: [] for role in set(PREYS)}
        for up in self.ups:
            if up.process.poll() is None:
                found["supervisor"].append(psutil.Process(up.process.pid))
            for process in up.descendants():
                self.seen[process.pid] = process
                with contextlib.suppress(psutil.Error):
                    role = _role(process.cmdline())
                    if role in found:
                        found[role].append(process)
        return found

    def end(self) -> list[int]:
        """End all of it politely; gives the exit codes."""
        codes = [up.end(signal.SIGTERM, 30) for up in self.ups]
        for up in self.ups:
            up.__exit__(None, None, None)
        return codes

    def clean(self) -> None:
        """Remove what was left in the folder for temporary files."""
        shutil.rmtree(self.temp)

    def left(self) -> list[psutil.Process]:
        """What still runs of all that ever ran."""
        return [process for process in self.seen.values() if alive(process)]


def _role(line: list[str]) -> str:
    if "jobdeck.worker" in line:
        return "worker"
    return line[line.index("jobdeck.cli.child") + 1] if "jobdeck.cli.child" in line else ""


class Load:
    """Creates jobs at a steady rate in a thread until it is told to end."""

    def __init__(self, store: str, seed: int, *, pause_s: float, each: int) -> None:
        self.created: set[int] = set()
        self.refused = 0
        self._dice = random.Random(seed)
        self._pause_s, self._each = pause_s, each
        self._client = Client(store=store)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._pause_s):
            flow = self._dice.choice(FLOWS)
            items: list[dict[str, Any]] = [{}] * self._dice.randint(1, self._each)
            try:
                self.created.update(self._client.create_many(flow, items))
            except JobdeckError:
                self.refused += 1

    def end(self) -> None:
        """Create no more."""
        self._ended.set()
        self._thread.join()
        self._client.close()


def hunt(
    site: Site,
    seed: int,
    *,
    kills: int,
    pause_s: float,
    restart: Callable[[], None] | None = None,
    every: int = 100,
) -> Counter[str]:
    """Kill that many processes, each after a random pause; `restart` the database after `every`
    so many kills. Gives what fell, by role."""
    dice = random.Random(seed)
    fallen: Counter[str] = Counter()
    while sum(fallen.values()) < kills:
        time.sleep(dice.uniform(0, 2 * pause_s))
        role = dice.choice(PREYS)
        preys = site.preys()[role]
        if preys:
            with contextlib.suppress(psutil.Error):
                dice.choice(preys).send_signal(signal.SIGKILL)
                fallen[role] += 1
                if restart is not None and sum(fallen.values()) % every == 0:
                    restart()
                    fallen["database"] += 1
        fallen["given up"] += site.tend() - (role == "supervisor" and bool(preys))
    return fallen


PLACES = ("ready", "running", "delayed")


def wait_until_done(store: Any, site: Site, patience_s: float) -> None:
    """Wait until no job is open and no killed pool is listed, as long as some go; else tell how
    things stand."""
    last, deadline = -1, 0.0
    while True:
        with store.read() as conn:
            left = {p: conn.execute(text(f"SELECT count(*) FROM {p}")).scalar_one() for p in PLACES}
            pids = conn.execute(text("SELECT pid FROM pools")).scalars()
            left["killed pools"] = sum(not psutil.pid_exists(pid) for pid in pids)
        if not any(left.values()):
            return
        site.tend()
        if sum(left.values()) != last:
            last, deadline = sum(left.values()), time.monotonic() + patience_s
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing ends any more: {left}; {standing(store)}")
        time.sleep(0.1)


def standing(store: Any) -> str:
    """The small tables, as far as they tell why jobs do not end."""
    with store.read() as conn:
        told = [
            f"{table}: {[dict(row._mapping) for row in conn.execute(text(query))]}"
            for table, query in {
                **{place: f"SELECT * FROM {place} LIMIT 5" for place in PLACES},
                "counters": "SELECT status, queue_id, flow_id, sum(n) AS n FROM counters "
                "WHERE status > 3 GROUP BY 1, 2, 3",
                "pools": "SELECT * FROM pools",
                "workers": "SELECT * FROM workers",
                "leases": "SELECT * FROM leases",
                "parents": "SELECT * FROM parents WHERE job_id IN (SELECT job_id FROM running)",
            }.items()
        ]
    return "\n".join(told)


def sockets(temp: Path) -> list[Path]:
    """The sockets by which pools are woken."""
    return list(temp.glob(f"jobdeck-{os.getuid()}/*/*.sock"))
