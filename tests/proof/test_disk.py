"""A disk that takes no more, under whatever runs: it waits, says so, and goes on by itself."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import httpx
import pytest

from jobdeck.domain.errors import StoreError
from jobdeck.domain.states import Status
from jobdeck.store.database import Store
from tests.conftest import SKIPPED
from tests.integration.engine.harness import Deck
from tests.integration.launched import Launched, environment, until
from tests.proof.test_faults import CODE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if not done or done.returncode:
        pytest.skip(f"{SKIPPED}a small file system (run the tests as root on Linux)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, sqlite_template: Path, tmp_path: Path) -> None:
    """What the workers did is kept until there is space again."""
    path = small_disk / "jobdeck.db"
    shutil.copyfile(sqlite_template, path)
    store = Store(f"sqlite:///{path}", files=tmp_path / "files")
    deck = Deck(store, tmp_path)
    deck.define(CODE)
    pool = deck.start_pool(workers=1)
    marks = tmp_path / "marks"
    ids = deck.enqueue("mark", 50, path=str(marks))
    deck.wait(ids[0])

    def too_much() -> None:
        while True:
            deck.enqueue("mark", 500, path="x" * 1000)

    with Full(small_disk):
        with pytest.raises(StoreError, match="disk is full"):
            too_much()
        sleep(0.3)
    for job_id in ids:
        job = deck.wait(job_id)
        assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    assert Counter(map(int, marks.read_text().split())) == Counter(ids)
    assert pool.poll() is None
    deck.close()
    store.close()


SLOW = """
import time
from jobdeck import Context, job

@job
def slow(ctx: Context, mark: str, seconds: float = 0.0) -> None:
    with open(mark, "a") as file:
        file.write(f"{ctx.job_id}\\n")
    time.sleep(seconds)
"""


class Locked:
    """Files that nobody can write, as on a disk that the system has made read-only; also not
    who has them open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        if not self._change("+i"):
            pytest.skip(f"{SKIPPED}files that can be made immutable (run as root on ext4)")

    def __exit__(self, *_: object) -> None:
        self._change("-i")

    def _change(self, how: str) -> bool:
        tool = shutil.which("chattr")
        # Who writes to the file that SQLite shares in memory would be ended by the system.
        files = [path for path in self._folder.iterdir() if path.name.endswith(("db", "wal"))]
        if not tool:
            return False
        return not subprocess.run([tool, how, *files], capture_output=True, check=False).returncode


class Full:
    """A file system without space."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def __enter__(self) -> None:
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def __exit__(self, *_: object) -> None:
        self._filler.unlink()


class Served:
    """All of `jobdeck up` on a store in that folder, and calls of it."""

    def __init__(self, up: Launched, marks: Path) -> None:
        address, token = up.link()
        self.up, self.marks = up, marks
        self.calls = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=40,
            trust_env=False,
        )

    def create(self, seconds: float = 0.0) -> httpx.Response:
        """A new job that lasts so long."""
        params = {"mark": str(self.marks), "seconds": seconds}
        return self.calls.post("/api/v1/flows/slow/jobs", json={"params": params})

    def ready(self, query: str = "") -> httpx.Response:
        return self.calls.get(f"/readyz{query}")

    def seen(self) -> list[int]:
        """How pages and lists are answered."""
        found = [self.calls.get("/api/v1/jobs"), self.calls.get("/jobs", follow_redirects=True)]
        return [answer.status_code for answer in found]

    def outcome(self, job: int) -> str:
        answer = self.calls.get(f"/api/v1/jobs/{job}?wait=30").json()
        return str(answer["status"])


@contextlib.contextmanager
def served(tmp_path: Path, store: Path) -> Iterator[Served]:
    (tmp_path / "work.py").write_text(SLOW)
    store.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "jobdeck.cli", "up", "work.py", "--port", "0", "--workers", "1"]
    env = environment(JOBDECK_STORE=f"sqlite:///{store}/jobdeck.db")
    with Launched(argv, cwd=tmp_path, env=env) as up:
        all_ = Served(up, tmp_path / "marks")
        with all_.calls:
            yield all_


def test_a_disk_that_becomes_read_only_under_all_that_runs(tmp_path: Path) -> None:
    """The pool dies meanwhile, too: the next one waits."""
    store = tmp_path / "store"
    with served(tmp_path, store) as all_:
        up = all_.up
        running = all_.create(0.2).json()["id"]
        until(all_.marks.exists, "a job that runs")
        with Locked(store):
            refused = all_.create()
            until(lambda: {"pool", "maintenance"} <= set(said(up)), "both to say so")
            seen = all_.seen()
            up.child("pool").kill()
            up.wait_for("starting it again")
            told = said(up).count("pool")
            until(lambda: said(up).count("pool") > told + 1, "the next pool to wait")
        last = all_.create().json()["id"]
        outcomes = [all_.outcome(job) for job in (running, last)]
    assert refused.status_code == 503
    assert "takes no writes" in refused.json()["detail"]
    assert seen == [200, 200]
    assert outcomes == ["completed", "completed"]


def test_a_full_disk_under_all_that_runs(small_disk: Path, tmp_path: Path) -> None:
    """Web and maintenance say so and go on, too: no process ends, and nobody need help."""
    with served(tmp_path, small_disk) as all_:
        up = all_.up
        running = all_.create(0.2).json()["id"]
        until(all_.marks.exists, "a job that runs")
        assert all_.ready().status_code == 200
        roles = ("web", "maintenance", "pool")
        before = [up.child(role).pid for role in roles]
        with Full(small_disk):
            # There is some room left in the log for the first.
            until(lambda: all_.create().status_code == 503, "a job that is refused")
            refused = all_.create()
            until(lambda: {"pool", "maintenance"} <= set(said(up)), "both to say so")
            until(lambda: all_.ready().status_code == 503, "web to be no longer ready")
            why = all_.ready().json()["detail"]
            seen = [*all_.seen(), all_.ready("?reading=true").status_code]
        until(lambda: all_.ready().status_code == 200, "web to be ready again")
        last = all_.create().json()["id"]
        outcomes = [all_.outcome(job) for job in (running, last)]
        after = [up.child(role).pid for role in roles]
        left = all_.calls.get("/api/v1/jobs/count").json()
        ran = all_.marks.read_text().split()
    assert refused.json()["code"] == "store_unreachable"
    assert "the disk is full" in refused.json()["detail"]
    assert "the disk is full" in why
    assert seen == [200, 200, 200]
    assert outcomes == ["completed", "completed"]
    assert before == after
    # Each that was created has run, and none twice: no worker was lost.
    assert left["completed"] == len(ran) == len(set(ran))


def said(up: Launched) -> list[str]:
    """Which processes have said that the store is not available, each time that they have."""
    lines = [json.loads(line) for line in up.said().splitlines() if line.startswith("{")]
    return [line["process"] for line in lines if line["event"] == "store not available"]
