"""Bad input is one clear error by REST, command and Python alike, and nothing is begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select

from jobdeck.cli.main import main
from jobdeck.client import Client
from jobdeck.domain.errors import InvalidValue, JobdeckError
from jobdeck.store.database import Store
from jobdeck.store.tables import audit, flows, jobs, queues, schedules
from tests.integration.api.caller import Caller

CITY = {"city": "Gouda"}


class Bad(NamedTuple):
    """What is wrong: by REST (with the status and the field that it names), by a command (with
    its exit code), and from Python; `says` is in every message."""

    rest: tuple[str, str, Any]
    status: int
    field: str
    command: tuple[str, ...]
    code: int
    call: Callable[[Client], Any]
    says: str


TABLE = {
    "unknown flow": Bad(
        ("POST", "/flows/wether/jobs", {"params": CITY}),
        *(404, "", ("run", "wether", "-p", "city=Gouda"), 1),
        lambda client: client.create("wether", CITY),
        "wether",
    ),
    "parameter missing": Bad(
        ("POST", "/flows/weather/jobs", {"params": {}}),
        *(422, "params.city", ("run", "weather"), 2),
        lambda client: client.create("weather", {}),
        "is required",
    ),
    "unknown parameter": Bad(
        ("POST", "/flows/weather/jobs", {"params": {**CITY, "colour": "red"}}),
        *(422, "params.colour", ("run", "weather", "-p", "city=x", "-p", "colour=red"), 2),
        lambda client: client.create("weather", {**CITY, "colour": "red"}),
        "no such parameter",
    ),
    "one of many does not fit": Bad(
        ("POST", "/jobs/batch", {"items": [{"flow": "weather", "params": p} for p in (CITY, {})]}),
        *(422, "", ("run", "weather", "-p", "days=0", "-p", "city=x"), 2),
        lambda client: client.create_many("weather", [CITY, {}]),
        "params",
    ),
    "time beyond all times": Bad(
        ("POST", "/flows/weather/jobs", {"params": CITY, "run_at": "0001-01-01T00:00:00+14:00"}),
        *(422, "run_at", ("run", "weather", "-p", "city=x", "--at", "2999-01-01"), 2),
        lambda client: client.create("weather", CITY, run_at=2**61),
        "1970",
    ),
    "unknown queue": Bad(
        ("POST", "/queues/elt/pause", {}),
        *(404, "", ("queues", "pause", "elt"), 1),
        lambda client: client.pause_queue("elt"),
        "elt",
    ),
    "flow in a queue of Jobdeck's own": Bad(
        ("PATCH", "/flows/weather", {"queue": "BULK"}),
        *(422, "queue", ("flows", "edit", "weather", "--queue", "BULK"), 2),
        lambda client: client.edit_flow("weather", queue="BULK"),
        "own work",
    ),
    "limit of -1": Bad(
        ("PATCH", "/queues/etl", {"max_running": -1}),
        *(422, "max_running", ("queues", "limit", "etl", "--running", "-1"), 2),
        lambda client: client.limit_queue("etl", max_running=-1),
        "1",
    ),
    "rate that is none": Bad(
        ("PATCH", "/queues/etl", {"rate": "fast"}),
        *(422, "rate", ("queues", "limit", "etl", "--rate", "fast"), 2),
        lambda client: client.limit_queue("etl", rate="fast"),
        "fast",
    ),
    "list of -1": Bad(
        ("GET", "/jobs?limit=-1", None),
        *(422, "limit", ("jobs", "list", "--limit", "-1"), 2),
        lambda client: client.jobs(limit=-1),
        "1",
    ),
    "cron that never fires": Bad(
        ("POST", "/schedules", {"flow": "weather", "cron": "0 0 30 2 *", "params": CITY}),
        *(422, "cron", ("schedules", "add", "weather", "--cron", "0 0 30 2 *", "-p", "city=x"), 2),
        lambda client: client.add_schedule("weather", cron="0 0 30 2 *", params=CITY),
        "never",
    ),
    "unknown time zone": Bad(
        ("POST", "/schedules", {"flow": "weather", "cron": "0 5 * * *", "timezone": "Mars"}),
        *(422, "timezone", ("schedules", "add", "weather", "--cron", "0 5 * * *"), 2),
        lambda client: client.add_schedule("weather", cron="0 5 * * *", timezone="Mars"),
        "Mars",
    ),
    "circle of flows": Bad(
        ("PATCH", "/flows/weather", {"after": ["weather"]}),
        *(422, "after", ("flows", "edit", "weather", "--after", "weather"), 2),
        lambda client: client.edit_flow("weather", after=["weather"]),
        "weather",
    ),
    "name that is taken": Bad(
        ("POST", "/flows", {"name": "weather", "pipeline": "weather"}),
        *(409, "", ("flows", "add", "weather", "--pipeline", "weather"), 1),
        lambda client: client.add_flow("weather", "weather"),
        "weather",
    ),
    "name with a slash": Bad(
        ("POST", "/flows", {"name": "a/b", "pipeline": "weather"}),
        *(422, "name", ("flows", "add", "a/b", "--pipeline", "weather"), 2),
        lambda client: client.add_flow("a/b", "weather"),
        "name",
    ),
    "unknown job": Bad(
        ("POST", "/jobs/999/stop", {}),
        *(404, "", ("jobs", "stop", "999"), 1),
        lambda client: client.stop(999),
        "999",
    ),
    "unknown worker": Bad(
        ("POST", "/workers/999/free", {}),
        *(404, "", ("workers", "free", "999"), 1),
        lambda client: client.free(999),
        "999",
    ),
    "pattern that is none": Bad(
        ("POST", "/hints", {"pattern": "(", "hint": "x"}),
        *(422, "pattern", ("hints", "add", "(", "x"), 2),
        lambda client: client.add_hint("(", "x"),
        "pattern",
    ),
}
# The zone of the command has an option of its own.
TABLE["unknown time zone"] = TABLE["unknown time zone"]._replace(
    command=("schedules", "add", "weather", "--cron", "0 5 * * *", "--timezone", "Mars")
)


def _snapshot(store: Store) -> list[int]:
    with store.read() as conn:
        return [
            conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (jobs, flows, schedules, queues, audit)
        ]


@pytest.mark.parametrize("name", TABLE)
def test_bad_input(
    name: str,
    api: Caller,
    here: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = TABLE[name]
    monkeypatch.setenv("JOBDECK_STORE", here.address)
    before = _snapshot(here)
    method, path, body = bad.rest
    problem = api.problem(method, path, bad.status, json=body)
    assert problem.get("field", "").endswith(bad.field)
    assert bad.says in problem["detail"]
    assert main(list(bad.command)) == bad.code
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert bad.says in " ".join(told.split())
    with Client(store=here.address) as client, pytest.raises(JobdeckError) as refused:
        bad.call(client)
    assert bad.says in str(refused.value)
    assert isinstance(refused.value, InvalidValue) == (bad.status == 422)
    assert _snapshot(here) == before


def test_lists_that_are_too_long(api: Caller, here: Store) -> None:
    before = _snapshot(here)
    many = {"action": "stop", "ids": list(range(1, 20_002)), "reason": "x"}
    assert api.problem("POST", "/jobs/bulk", 422, json=many)["field"] == "ids"
    batch = {"items": [{"flow": "weather", "params": CITY}] * 20_001}
    assert api.problem("POST", "/jobs/batch", 422, json=batch)["field"] == "items"
    assert _snapshot(here) == before
