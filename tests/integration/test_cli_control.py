"""The commands that limit, explain and finish, on a store."""

from __future__ import annotations

import pytest

from jobdeck.store.database import Store
from tests.integration.commands import run
from tests.integration.hands import Hands, define


@pytest.fixture
def database() -> str:
    """One is enough: the other is tested below the commands."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _here(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    define(store)
    monkeypatch.setenv("JOBDECK_STORE", store.address)


def test_limits(capsys: pytest.CaptureFixture[str]) -> None:
    queue = run(capsys, "queues", "limit", "etl", "--running", "2", "--rate", "10/s")
    assert (queue["max_running"], queue["rate"]) == (2, "10/s")
    queue = run(capsys, "queues", "limit", "etl", "--rate", "none")
    assert (queue["max_running"], queue["rate"]) == (2, None)
    for bad in (["--running", "-1"], ["--rate", "fast"], [], ["--none", "--running", "1"]):
        run(capsys, "queues", "limit", "etl", *bad, code=2)
    assert run(capsys, "queues", "list")[0]["max_running"] == 2
    assert run(capsys, "queues", "limit", "etl", "--none")["max_running"] is None
    run(capsys, "queues", "limit", "elt", "--running", "1", code=1)


def test_flows(capsys: pytest.CaptureFixture[str]) -> None:
    flow = run(
        *(capsys, "flows", "add", "nightly", "--pipeline", "weather", "--sequential"),
        *("--rate", "5/m", "--retries", "2", "--timeout", "1h"),
    )
    assert (flow["max_running"], flow["rate"], flow["timeout_s"]) == (1, "5/m", 3600)
    none = [part for name in ("running", "retries", "timeout") for part in (f"--{name}", "none")]
    flow = run(capsys, "flows", "edit", "nightly", *none)
    assert (flow["max_running"], flow["rate"]) == (None, "5/m")
    assert (flow["retry"], flow["timeout_s"]) == (None, None)
    run(capsys, "flows", "edit", "nightly", "--sequential", "--running", "3", code=2)
    run(capsys, "flows", "edit", "nightly", "--retries", "none", "--backoff", "3s", code=2)
    assert run(capsys, "flows", "remove", "nightly") == {"removed": "nightly"}


def test_why_stuck_recover_and_finish(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    job = str(run(capsys, "run", "weather", "-p", "city=Gouda")["id"])
    assert run(capsys, "jobs", "why", job)["code"] == "no_pool"
    run(capsys, "jobs", "why", "404", code=1)
    run(capsys, "jobs", "finish", job, "--reason", "hangs", code=1)
    run(capsys, "jobs", "finish", job, code=2)
    hands = Hands(store)
    (taken,) = hands.take()
    hands.begin(taken)
    assert run(capsys, "jobs", "stuck") == []
    dry = run(capsys, "jobs", "recover", "--dry-run")
    assert [(each["kind"], each["remedy"]) for each in dry["jobs"]] == [("active", "")]
    run(capsys, "jobs", "stuck", "--after", "1s", code=2)
    done = run(capsys, "jobs", "finish", job, "--as", "stopped", "--reason", "hangs")
    assert done["status"] == "stopped"
    assert "hangs" in run(capsys, "jobs", "why", job)["sentence"]
