"""One role alone: web servers and workers on one store, on either database."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.launched import Launched, command_of, environment, until
from tests.stores import Cluster

JOBDECK = [sys.executable, "-m", "jobdeck.cli"]
TOKEN = "a-token-of-the-tests"
PIPELINES = """
from jobdeck import job


@job
def double(n: int = 1) -> int:
    return 2 * n


@job(queue="aside")
def aside() -> str:
    return "aside"
"""


@pytest.fixture
def empty_store(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a store that is not there yet."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path}/roles.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    address = cluster.create(empty=True)
    yield address
    cluster.drop(address)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(PIPELINES)
    return tmp_path


def create(address: str, flow: str, wait: int = 30) -> dict[str, Any]:
    answer = httpx.post(
        f"{address}/api/v1/flows/{flow}/jobs?wait={wait}",
        json={},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=40,
        trust_env=False,
    )
    job: dict[str, Any] = answer.raise_for_status().json()
    return job


def test_a_server_and_workers_share_a_store(empty_store: str, folder: Path) -> None:
    settings = environment(JOBDECK_STORE=empty_store, JOBDECK_TOKEN=TOKEN)
    web = Launched([*JOBDECK, "web", "--port", "0"], cwd=folder, env=settings)
    with web:
        address, start_token = web.link()
        assert start_token != TOKEN
        argv = [*JOBDECK, "worker", "work.py", "--workers", "1", "--queues", "default"]
        with Launched(argv, cwd=folder, env=settings) as worker:
            worker.wait_for("pool started")
            assert "Queues" in worker.said()
            assert create(address, "double")["result"] == 2
            assert create(address, "aside", wait=1)["status"] == "pending"
            for process in worker.descendants():
                if "jobdeck.worker" in command_of(process):
                    assert not {"JOBDECK_STORE", "JOBDECK_TOKEN"} & process.environ().keys()
            assert worker.end(signal.SIGTERM) == 0
        argv = [*JOBDECK, "worker", "work.py", "--workers", "1"]
        with Launched(argv, cwd=folder, env=settings) as worker:
            until(lambda: create(address, "aside")["status"] == "completed", "the other queue")
            assert worker.end() == 0
        assert TOKEN not in web.said()
        assert web.end(signal.SIGTERM) == 0


def test_up_creates_its_store(empty_store: str, folder: Path) -> None:
    argv = [*JOBDECK, "up", "work.py", "--port", "0", "--workers", "1", "--store", empty_store]
    with Launched(argv, cwd=folder, env=environment(JOBDECK_TOKEN=TOKEN)) as up:
        address, _ = up.link()
        assert create(address, "double")["result"] == 2
        old = up.child("pool")
        old.kill()
        until(lambda: up.child("pool").pid != old.pid, "another pool")
        assert create(address, "double")["result"] == 2
        assert up.end() == 0


def test_a_database_that_does_not_answer_is_refused(folder: Path) -> None:
    store = "postgresql://nobody:secret@127.0.0.1:1/none"
    argv = [*JOBDECK, "up", "work.py", "--port", "0", "--store", store]
    with Launched(argv, cwd=folder, env=environment()) as up:
        assert up.process.wait(30) == 1
        said = up.said()
    assert len(said.strip().splitlines()) == 1
    assert "secret" not in said
