"""Jobs over REST."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from jobdeck.domain import clock
from jobdeck.domain.states import Code, Reason
from jobdeck.store import files, logs
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
from tests.integration.hands import Hands

BODY = {"params": {"city": "Gouda"}}


def create(api: Caller, **more: Any) -> int:
    number: int = api.post("/flows/weather/jobs", {**BODY, **more})["id"]
    return number


def test_creates_a_job_and_says_where_it_is(api: Caller) -> None:
    answer = api.call("POST", "/flows/weather/jobs", json={**BODY, "priority": 2})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["status"], job["params"], job["priority"]) == ("pending", BODY["params"], 2)
    assert (job["created_by"], job["source"]) == ("token", "api")
    assert job["created_at"].endswith("Z")
    assert api.get(f"/jobs/{job['id']}") == job


def test_waits_for_the_end_without_holding_anything(api: Caller, here: Store) -> None:
    hands = Hands(here)

    def work() -> None:
        while not hands.run():
            time.sleep(0.01)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    answer = api.call("POST", "/flows/weather/jobs?wait=20", json=BODY)
    worker.join()
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.json()["duration_s"] == pytest.approx(1.0)
    again = api.call("POST", "/flows/weather/jobs?wait=0.05", json=BODY)
    assert (again.status_code, again.json()["status"]) == (202, "pending")


def test_lists_by_what_is_asked_for(api: Caller, here: Store) -> None:
    first = create(api)
    Hands(here).run(Code.FAILED, Reason.ERROR)
    second, third = create(api, priority=5), create(api)
    assert [job["id"] for job in api.get("/jobs")["items"]] == [third, second, first]
    failed = api.get("/jobs?status=failed&flow=weather&queue=etl&q=Gouda")["items"]
    assert [(job["id"], job["reason"]) for job in failed] == [(first, "error")]
    both = api.get("/jobs?status=failed,pending&status=running&sort=id")["items"]
    assert [job["id"] for job in both] == [first, second, third]
    page = api.get("/jobs?limit=2")
    assert page["next"]
    rest = api.get("/jobs", params={"limit": 2, "cursor": page["next"]})
    assert [job["id"] for job in rest["items"]] == [first]
    assert rest["next"] is None
    assert api.get("/jobs?created_after=2099-01-01T00:00:00+00:00")["items"] == []
    counts = api.get("/jobs/count")
    assert (counts["pending"], counts["failed"], counts["running"]) == (2, 1, 0)
    assert api.get("/jobs/count?flow=weather") == counts


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("status=broken", "status"),
        ("statsu=failed", "statsu"),
        ("sort=colour", "sort"),
        ("cursor=nonsense", "cursor"),
        ("created_after=yesterday", "created_after"),
        ("created_before=1e300", "created_before"),
        ("parent=x", "parent"),
        ("q=%00", "q"),
    ],
)
def test_a_query_that_cannot_be_names_the_parameter(api: Caller, query: str, field: str) -> None:
    found = api.problem("GET", f"/jobs?{query}", 422)
    assert (found["field"], found["code"]) == (field, "invalid_value")
    assert field in found["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"params": {"city": 1}}, "params.city"),
        ({"params": {}}, "params.city"),
        ({"params": []}, "params"),
        ({"prams": {}}, "prams"),
        ({**BODY, "priority": "high"}, "priority"),
        ({**BODY, "priority": 10**9}, "priority"),
        ({**BODY, "run_at": "soon"}, "run_at"),
        ({**BODY, "unique_key": ""}, "unique_key"),
        ({**BODY, "unique_key": "k\0"}, "unique_key"),
        ({**BODY, "unique_key": "k", "unique_in": "here"}, "unique_in"),
        ({**BODY, "unique_key": "k", "on_duplicate": "hope"}, "on_duplicate"),
        ({**BODY, "unique_for_s": 60}, "unique_for"),
        ({**BODY, "reason": "x" * 3000}, "reason"),
        ([1], "body"),
    ],
)
def test_a_body_that_cannot_be_names_the_field(api: Caller, body: Any, field: str) -> None:
    found = api.problem("POST", "/flows/weather/jobs", 422, json=body)
    assert found["field"] == field
    assert api.get("/jobs")["items"] == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"params": ' + b"[" * 100_000, 400),
        (b'{"params": {"city": "' + b"x" * (17 * 2**20) + b'"}}', 413),
    ],
)
def test_a_body_that_cannot_be_read_is_malformed(api: Caller, content: bytes, status: int) -> None:
    api.problem("POST", "/flows/weather/jobs", status, content=content)


def test_what_is_not_there_is_not_found(api: Caller) -> None:
    for path in ("/jobs/1", "/jobs/0", "/jobs/-5", f"/jobs/{10**30}", "/nothing", "/jobs/x"):
        api.problem("GET", path, 404)
    for part in ("steps", "logs", "files", "events", "result", "attempts", "calls", "files/a"):
        api.problem("GET", f"/jobs/1/{part}", 404)
    for deed in ("stop", "kill", "retry", "run-again"):
        api.problem("POST", f"/jobs/1/{deed}", 404)
    found = api.problem("POST", "/flows/wether/jobs", 404, json=BODY)
    assert "weather" in found["detail"]
    answer = api.call("PUT", "/jobs")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


def test_stops_kills_and_retries(api: Caller, here: Store) -> None:
    job = create(api)
    stopped = api.post(f"/jobs/{job}/stop", {"reason": "enough"})
    assert (stopped["status"], stopped["reason"]) == ("stopped", "stopped")
    assert "enough" in stopped["message"]
    found = api.problem("POST", f"/jobs/{job}/stop", 409)
    assert (found["code"], "stopped" in found["detail"]) == ("wrong_state", True)
    assert api.post(f"/jobs/{job}/retry", {"from": "start"})["status"] == "pending"
    assert api.post(f"/jobs/{job}/kill?reason=now")["reason"] == "killed"
    assert api.problem("POST", f"/jobs/{job}/retry", 422, json={"from": "x"})["field"] == "from"
    again = api.post(f"/jobs/{job}/run-again", {"params": {"city": "Ede"}})
    assert (again["retry_of"], again["params"]) == (job, {"city": "Ede"})
    assert api.call("DELETE", f"/jobs/{job}?reason=old").status_code == 204
    api.problem("GET", f"/jobs/{job}", 404)
    api.problem("DELETE", f"/jobs/{again['id']}", 409)


def test_shows_what_a_job_is_made_of(api: Caller, here: Store) -> None:
    job = create(api)
    assert api.get(f"/jobs/{job}/result") == {"status": "pending", "result": None, "error": None}
    Hands(here).run(Code.FAILED, Reason.TIMEOUT)
    now = clock.now()
    with here.write() as conn:
        row = (job, 1, 1, now, "info", "log", "load", "hello there", None)
        logs.append(conn, [row, (job, 1, 2, now, "error", "stderr", "", "oh no\nno", None)])
        files.save(conn, job, "out/a b.csv", "deep/a.csv", 3, now, "load")
        files.save(conn, job, "evil", "../jobdeck.db", 3, now, "")
    (here.files / "deep").mkdir(parents=True)
    (here.files / "deep" / "a.csv").write_text("x,y")
    assert [step["name"] for step in api.get(f"/jobs/{job}/steps")["items"]] == ["extract", "load"]
    (attempt,) = api.get(f"/jobs/{job}/attempts")["items"]
    assert (attempt["attempt"], attempt["status"], attempt["reason"]) == (1, "failed", "timeout")
    kinds = [event["kind"] for event in api.get(f"/jobs/{job}/events")["items"]]
    assert set(kinds) == {"created", "started", "failed"}
    lines = api.get(f"/jobs/{job}/logs")["items"]
    assert [line["message"] for line in lines] == ["hello there", "oh no\nno"]
    assert api.get(f"/jobs/{job}/logs?level=error")["items"] == lines[1:]
    assert api.get(f"/jobs/{job}/logs?q=hello&limit=1")["next"] == lines[0]["id"]
    assert api.get(f"/jobs/{job}/logs?after={lines[0]['id']}")["items"] == lines[1:]
    assert api.problem("GET", f"/jobs/{job}/logs?level=loud", 422)["field"] == "level"
    for text in (
        api.call("GET", f"/jobs/{job}/logs?format=text"),
        api.call("GET", f"/jobs/{job}/logs", headers={"Accept": "text/plain"}),
    ):
        assert text.headers["content-type"].startswith("text/plain")
        assert "hello there" in text.text
    names = [file["name"] for file in api.get(f"/jobs/{job}/files")["items"]]
    assert names == ["evil", "out/a b.csv"]
    kept = api.call("GET", f"/jobs/{job}/files/out/a%20b.csv")
    assert (kept.status_code, kept.text) == (200, "x,y")
    assert kept.headers["content-disposition"].startswith("attachment")
    assert kept.headers["content-type"] == "application/octet-stream"
    for name in ("evil", "missing", "..%2f..%2fjobdeck.db", "%2e%2e/%2e%2e/etc/passwd"):
        api.problem("GET", f"/jobs/{job}/files/{name}", 404)


def test_creates_many_at_once(api: Caller) -> None:
    items = [{"flow": "weather", "params": {"city": str(n)}} for n in range(3)]
    ids = api.post("/jobs/batch", {"items": items})["ids"]
    assert [api.get(f"/jobs/{job}")["params"]["city"] for job in ids] == ["0", "1", "2"]
    items[1]["params"] = {"city": 5}
    found = api.problem("POST", "/jobs/batch", 422, json={"items": items})
    assert found["field"] == "items[1].params.city"
    assert api.get("/jobs/count")["pending"] == 3
    assert api.post("/jobs/batch", {"items": []}) == {"ids": [], "kept": []}
