"""Many jobs changed by one call."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.engine.housework import Housework
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
from tests.integration.launched import until

BODY = {"params": {"city": "Gouda"}}


def create(api: Caller, many: int) -> list[int]:
    return [api.post("/flows/weather/jobs", BODY)["id"] for _ in range(many)]


def test_a_few_at_once(api: Caller) -> None:
    ids = create(api, 2)
    body = {"action": "stop", "ids": [*ids, 404], "reason": "spring"}
    dry = api.post("/jobs/bulk", {**body, "dry_run": True})
    assert (dry["number"], dry["more"], dry["examples"], dry["items"]) == (
        3,
        False,
        [*ids, 404],
        [],
    )
    told = api.post("/jobs/bulk", body)
    assert (told["done"], told["skipped"]) == (2, 1)
    assert told["items"][2] == {
        "job": 404, "outcome": "skipped", "message": "there is no such job"
    }  # fmt: skip
    assert api.get(f"/jobs/{ids[0]}")["message"] == "stopped by token: spring"


def test_a_filter_becomes_a_job(api: Caller, here: Store) -> None:
    ids = create(api, 3)
    body = {"action": "priority", "filter": "flow:weather status:pending", "priority": 5}
    assert api.post("/jobs/bulk", {**body, "dry_run": True})["number"] == 3
    answer = api.call("POST", "/jobs/bulk", json=body)
    job = answer.json()
    assert (answer.status_code, job["queue"], job["status"]) == (202, "BULK", "pending")
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    housework = Housework(here)
    housework.start()
    path = f"/jobs/{job['id']}"
    until(lambda: api.get(path)["finished_at"], "its end")
    housework.stop()
    done = api.get(path)
    assert (done["status"], done["result"]["done"]) == ("completed", 3)
    assert api.get(f"/jobs/{ids[0]}")["priority"] == 5
    page = api.get(f"/jobs/{job['id']}/items?limit=2")
    assert ([item["job"] for item in page["items"]], page["next"]) == (ids[:2], ids[1])
    assert api.get(f"/jobs/{job['id']}/items?after={ids[1]}")["items"][0]["outcome"] == "done"
    assert api.get(f"/jobs/{job['id']}/items?outcome=skipped") == {"items": [], "next": None}
    assert api.problem("GET", f"/jobs/{job['id']}/items?outcome=odd", 422)["field"] == "outcome"
    api.problem("GET", "/jobs/404/items", 404)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"action": "burn", "ids": [1]}, "action"),
    ({"action": "stop"}, "ids"),
    ({"action": "stop", "ids": []}, "ids"),
    ({"action": "stop", "ids": [1], "filter": ""}, "ids"),
    ({"action": "stop", "ids": [0]}, "ids"),
    ({"action": "stop", "ids": [2**64]}, "ids"),
    ({"action": "stop", "filter": "status:burning"}, "status"),
    ({"action": "stop", "filter": 'flow:"'}, "filter"),
    ({"action": "priority", "ids": [1]}, "priority"),
    ({"action": "priority", "ids": [1], "priority": 10**7}, "priority"),
    ({"action": "move", "ids": [1]}, "queue"),
    ({"action": "retry", "ids": [1], "from": "middle"}, "from"),
    ({"action": "stop", "ids": [1], "reason": "\0"}, "reason"),
    ({"action": "stop", "filter": "\0"}, ""),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_does_not_fit_is_named(api: Caller, body: dict[str, Any], field: str) -> None:
    answer = api.call("POST", "/jobs/bulk", json=body)
    if not field:
        assert answer.status_code < 500
        return
    assert answer.status_code in (400, 422), answer.text
    assert field in answer.json().get("field", "") or field in answer.text


def test_no_queue_of_that_name(api: Caller) -> None:
    body = {"action": "move", "ids": create(api, 1), "queue": "slwo"}
    api.problem("POST", "/jobs/bulk", 404, json=body)


def test_an_export_is_a_job(api: Caller) -> None:
    answer = api.call("POST", "/jobs/export", json={"filter": "status:pending", "format": "jsonl"})
    job = answer.json()
    assert (answer.status_code, job["queue"]) == (202, "EXPORT")
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert job["params"]["filter"] == "status:pending"
    assert api.call("POST", "/jobs/export").status_code == 202
    assert api.problem("POST", "/jobs/export", 422, json={"format": "xls"})["field"] == "format"
