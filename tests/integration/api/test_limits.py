"""Limits over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.caller import Caller


def test_a_queue_is_limited_and_freed_again(api: Caller) -> None:
    queue = api.call("PATCH", "/queues/etl", json={"max_running": 2, "rate": "10/s"}).json()
    assert (queue["max_running"], queue["rate"]) == (2, "10/s")
    queue = api.call("PATCH", "/queues/etl", json={"rate": None, "reason": "enough"}).json()
    assert (queue["max_running"], queue["rate"]) == (2, None)
    assert api.get("/queues/etl")["max_running"] == 2
    api.problem("PATCH", "/queues/elt", 404, json={"rate": "1/s"})


def test_a_flow_is_limited(api: Caller) -> None:
    body = {"name": "one", "pipeline": "weather", "max_running": 1, "rate": "5/m"}
    flow = api.call("POST", "/flows", json=body).json()
    assert (flow["max_running"], flow["rate"]) == (1, "5/m")
    flow = api.call("PATCH", "/flows/one", json={"max_running": None}).json()
    assert (flow["max_running"], flow["rate"]) == (None, "5/m")


@pytest.mark.parametrize("path", ["/queues/etl", "/flows/weather"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_running": 0}, "max_running"),
        ({"max_running": -1}, "max_running"),
        ({"max_running": "many"}, "max_running"),
        ({"max_running": 2.5}, "max_running"),
        ({"rate": "fast"}, "rate"),
        ({"rate": ""}, "rate"),
        ({"max_running": 3, "rate": "0/s"}, "rate"),
        ({"limit": 1}, "limit"),
    ],
)
def test_what_is_no_limit_is_refused(
    api: Caller, path: str, body: dict[str, Any], field: str
) -> None:
    before = api.get(path)
    assert api.problem("PATCH", path, 422, json=body)["field"] == field
    assert api.get(path) == before
