"""Error groups by client, command and call."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.actions import error_groups
from jobdeck.cli.main import main
from jobdeck.client import Client
from jobdeck.domain.errors import Forbidden, NotFound, WrongState
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import audit
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.hands import EVE, Hands, define

CITIES = [{"city": str(number)} for number in range(3)]


@pytest.fixture
def database() -> str:
    """One is enough: the other is tested below."""
    return "sqlite"


@pytest.fixture
def here(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "jobdeck.db"
    shutil.copyfile(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    define(store)
    yield store
    store.close()


def fail(store: Store, client: Client) -> list[int]:
    ids = client.create_many("weather", CITIES)
    Hands(store).run(Code.FAILED, Reason.TIMEOUT)
    return ids


@pytest.mark.parametrize("over", ["store", "server"])
def test_client(here: Store, over: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_groups, "CHUNK", 2)
    if over == "store":
        with Client(here.address) as client:
            walk(here, client)
        return
    with Served(here.address, "/base") as served, Client(url=served.url, token=TOKEN) as client:
        walk(here, client)


def walk(store: Store, client: Client) -> None:
    ids = fail(store, client)
    (found,) = client.errors(flow="weather", q="timeout").items
    assert (found.type, found.jobs, found.failures, sum(found.hours)) == ("timeout", 3, 3, 3)
    assert client.error(found.id) == found
    assert [job.id for job in client.jobs(error_group=found.id, sort="id").items] == ids
    resolved = client.resolve_error(found.id, reason="more time")
    assert (resolved.state, resolved.resolved_reason) == ("resolved", "more time")
    with pytest.raises(WrongState, match="already"):
        client.resolve_error(found.id)
    assert client.errors(state="open").items == []
    assert client.reopen_error(found.id).state == "reopened"
    assert client.retry_error(found.id, reason="again") == 3
    assert client.count()[Status.PENDING] == 3
    assert client.error(found.id).jobs == 0
    with pytest.raises(WrongState, match="No job stands failed"):
        client.retry_error(found.id)
    with pytest.raises(NotFound):
        client.error(99)
    with store.read() as conn:
        row = audit.find(conn, target=f"error {found.id}")[0]
    assert (row.action, row.detail, row.reason) == ("error.retry", {"jobs": 3}, "again")


def test_a_viewer_only_looks(here: Store) -> None:
    for deed in (error_groups.resolve, error_groups.reopen, error_groups.retry):
        with pytest.raises(Forbidden):
            deed(here, EVE, "", 1)


def test_commands(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    define(store)
    monkeypatch.setenv("JOBDECK_STORE", store.address)

    def run(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main(["errors", *words, "--json"]) == code
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    assert run("list")["items"] == []
    with Client(store.address) as client:
        fail(store, client)
    (found,) = run("list", "--state", "open")["items"]
    assert run("show", str(found["id"])) == found
    assert main(["errors", "show", str(found["id"])]) == 0
    assert "3 stand failed" in capsys.readouterr().out
    assert run("resolve", "1", "--reason", "x")["state"] == "resolved"
    run("resolve", "1", code=1)
    assert run("reopen", "1")["state"] == "reopened"
    assert run("retry", "1") == {"retried": 3}
    assert main(["errors", "list"]) == 0
    assert "timeout" in capsys.readouterr().out
