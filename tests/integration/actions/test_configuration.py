"""A configuration that does not fit is found before the run, and what is wrong is kept."""

from __future__ import annotations

import pytest

from jobdeck.actions import pipelines as pipeline_actions
from jobdeck.cli.main import main
from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import NotFound, WrongState
from jobdeck.domain.states import Reason, Status
from jobdeck.engine.scheduler import Scheduler
from jobdeck.store import flows, jobs, pipelines, schedules
from jobdeck.store.database import Store
from tests.integration.hands import ROOT, define, manifest

STRICT = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "minimum": 1},
        "unit": {"enum": ["C", "F"]},
    },
    "required": ["city", "unit"],
}
WRONG = {"days": 0, "colour": "red"}
FIELDS = ["params.city", "params.colour", "params.days", "params.unit"]


def test_a_flow_is_checked_without_a_run(store: Store) -> None:
    define(store)
    with store.write() as conn:
        assert flows.check(conn, "weather", {"city": "Gouda"}) == {}
        strict = manifest(params_schema=STRICT)
        pipelines.register(conn, strict, clock.now(), publish=True)
    with store.read() as conn:
        found = flows.check(conn, "weather", WRONG)
        assert sorted(found) == FIELDS
        assert found["params.city"] == "is required"
        assert "there are: city, days, unit" in found["params.colour"]
        with pytest.raises(NotFound):
            flows.check(conn, "wether", {})
    pipeline_actions.unpublish(store, ROOT, "why", "weather")
    with store.read() as conn, pytest.raises(WrongState):
        flows.check(conn, "weather", {})


def test_a_scheduled_job_that_cannot_run_keeps_all_that_is_wrong(store: Store) -> None:
    define(store)
    now = clock.now()
    with store.write() as conn:
        made = schedules.create(conn, flow="weather", now=now, interval_s=3600, params=WRONG)
        pipelines.register(conn, manifest(params_schema=STRICT), now, publish=True)
    assert Scheduler(store).fire_due(now + 3600 * SECOND) == 1
    with store.read() as conn:
        number = schedules.get(conn, made.id).last_job
        assert number is not None
        job = jobs.get(conn, number)
    assert (job.status, job.reason) == (Status.FAILED, Reason.INVALID_CONFIG)
    assert job.error is not None
    assert sorted(job.error.problems) == FIELDS


def test_the_command_says_what_does_not_fit(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    define(store)
    monkeypatch.setenv("JOBDECK_STORE", store.address)
    assert main(["flows", "check", "weather", "-p", "city=Gouda"]) == 0
    assert "could run" in capsys.readouterr().out
    assert main(["flows", "check", "weather", "-p", "days=0", "-p", "colour=red"]) == 1
    told = capsys.readouterr().out
    assert "params.city: is required" in told
    assert "params.days" in told
    assert "params.colour" in told
