"""Error groups, and the search in all logs, by client, command and call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobdeck.actions import error_groups
from jobdeck.cli.main import main
from jobdeck.client import Client
from jobdeck.domain.errors import Forbidden, InvalidValue, NotFound, WrongState
from jobdeck.domain.filters import LogFilter
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import audit, logs
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.hands import EVE, Hands, define

CITIES = [{"city": str(number)} for number in range(3)]


@pytest.fixture
def database() -> str:
    """One is enough: the other is tested below."""
    return "sqlite"


def fail(store: Store, client: Client) -> list[int]:
    ids = client.create_many("weather", CITIES)
    Hands(store).run(Code.FAILED, Reason.TIMEOUT)
    return ids


@pytest.mark.parametrize("over", ["store", "server"])
def test_client(here: Store, over: str) -> None:
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
    with pytest.raises(WrongState, match="resolved"):
        client.mute_error(found.id)
    assert client.reopen_error(found.id).state == "reopened"
    muted = client.mute_error(found.id, reason="known")
    assert (muted.state, muted.muted_reason) == ("muted", "known")
    assert client.errors(state="open").items == []
    assert client.errors(state="muted").items == [muted]
    assert client.unmute_error(found.id).state == "reopened"
    with pytest.raises(WrongState, match="not muted"):
        client.unmute_error(found.id)
    assert [item.job for item in client.retry_error(found.id, reason="again").items] == ids
    assert client.count()[Status.PENDING] == 3
    assert client.error(found.id).jobs == 0
    with pytest.raises(WrongState, match="No job stands failed"):
        client.retry_error(found.id)
    with pytest.raises(NotFound):
        client.error(99)
    with store.read() as conn:
        row = audit.find(conn, target=f"error {found.id}")[0]
    assert (row.action, row.reason) == ("error.unmute", "")


def test_many_are_retried_by_a_job(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_groups, "AT_ONCE", 2)
    with Client(here.address) as client:
        fail(here, client)
        found = client.retry_error(1)
    assert found.job is not None
    assert (found.job.queue, found.job.params["filter"]) == ("BULK", "error:1")


def test_a_viewer_only_looks(here: Store) -> None:
    changes = (error_groups.resolve, error_groups.reopen, error_groups.retry)
    for deed in (*changes, error_groups.mute, error_groups.unmute):
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
    assert run("mute", "1", "--reason", "known")["state"] == "muted"
    assert len(run("list", "--state", "muted")["items"]) == 1
    assert run("unmute", "1")["state"] == "reopened"
    assert run("retry", "1")["done"] == 3
    assert main(["errors", "list"]) == 0
    assert "timeout" in capsys.readouterr().out


@pytest.mark.parametrize("over", ["store", "server"])
def test_lines_of_all_jobs_are_searched(
    here: Store, over: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOBDECK_STORE", here.address)
    with Client(here.address) as client:
        ids = client.create_many("weather", CITIES)
    rows = [
        (job, 1, n, n * 10**6, "error" if n == 3 else "info", "log", "", f"line {n}", None)
        for job in ids
        for n in range(5)
    ]
    with here.write() as conn:
        logs.append(conn, rows)
    wanted = LogFilter(q="LINE", level="error", flow="weather", after=2_000_000, before=4_000_000)

    def walk(client: Client) -> None:
        first = client.search_logs(wanted, limit=2)
        rest = client.search_logs(wanted, limit=2, cursor=first.next)
        assert [line.job for line in first.items + rest.items] == ids[::-1]
        assert rest.next is None
        assert first.items[0].flow == "weather"
        with pytest.raises(InvalidValue, match="level"):
            client.search_logs(LogFilter(level="loud"))

    if over == "server":
        with Served(here.address, "/base") as served, Client(url=served.url, token=TOKEN) as client:
            walk(client)
        return
    with Client(here.address) as client:
        walk(client)
    assert main(["logs", "line", "--level", "error", "--job", str(ids[0]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["message"] == "line 3"
    assert main(["logs", "nowhere"]) == 0
    assert "No line matches." in capsys.readouterr().out
