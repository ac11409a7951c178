"""Queues, schedules, flows, pipelines, pools, health and headers over REST."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from jobdeck.app import create_app
from jobdeck.client.settings import Settings
from jobdeck.domain.errors import StartFailed, StoreUnreachable
from jobdeck.domain.states import Code
from jobdeck.http import writable
from jobdeck.http.state import Deck
from jobdeck.store.database import Store
from jobdeck.store.watch import CommitWatch
from tests.integration.api.caller import Caller
from tests.integration.hands import Hands, manifest

BODY = {"params": {"city": "Gouda"}}


def test_queues(api: Caller) -> None:
    api.post("/flows/weather/jobs", BODY)
    (queue,) = api.get("/queues")["items"]
    assert (queue["name"], queue["pending"], queue["paused_at"]) == ("etl", 1, None)
    (paused,) = api.post("/queues/all/pause", {"reason": "why"})["items"]
    assert (paused["paused_by"], paused["paused_reason"]) == ("token", "why")
    assert api.get("/queues/etl")["paused_at"] == paused["paused_at"]
    assert api.post("/queues/etl/resume")["items"][0]["paused_at"] is None
    assert api.post("/queues/etl/stop") == {"stopped": 1, "queues": {"etl": 1}}
    for deed in ("pause", "resume", "stop"):
        assert "etl" in api.problem("POST", f"/queues/elt/{deed}", 404)["detail"]
    api.problem("POST", "/queues/etl/start", 404)


def test_schedules(api: Caller) -> None:
    body = {"flow": "weather", "cron": "0 5 * * *", **BODY, "vendor_type": "erp"}
    answer = api.call("POST", "/schedules", json=body)
    made = answer.json()
    assert (answer.status_code, made["vendor_type"]) == (201, "erp")
    path = f"/schedules/{made['id']}"
    assert answer.headers["location"] == f"/api/v1{path}"
    assert api.get("/schedules?flow=weather")["items"] == [made]
    assert api.call("PATCH", path, json={"interval_s": 90}).json()["cron"] == ""
    assert api.post(f"{path}/pause")["items"][0]["paused_by"] == "token"
    paused = api.post("/schedules/all/pause")["items"][0]
    assert (paused["held"], paused["next_at"]) == (True, None)
    assert api.get("/queues/SCHEDULER")["paused_by"] == "token"
    resumed = api.post("/schedules/all/resume")["items"][0]
    assert (resumed["held"], resumed["paused_by"]) == (False, "token"), "its own pause stays"
    assert api.post(f"{path}/resume")["items"][0]["next_at"]
    assert api.call("POST", f"{path}/run").status_code == 202
    ticks = api.get("/schedules/preview", params={"cron": "0 5 * * *", "count": 3})
    assert len(ticks["ticks"]) == 3
    assert "05:00" in ticks["words"]
    assert api.problem("POST", "/schedules", 422, json={"flow": "weather"})["field"] == "cron"
    wrong = {
        "cron": "every day",
        "timezone": "Mars",
        "misfire": "twice",
        "overlap": "no",
        "end_at": "2001-01-01",
        "start_at": "soon",
    }
    for field, value in wrong.items():
        assert api.problem("POST", "/schedules", 422, json={**body, field: value})["field"] == field
        assert api.problem("PATCH", path, 422, json={field: value})["field"] == field
    rule = {"start_at": "2100-01-01T10:00:00Z", "jitter_s": 30, "misfire": "all", "vendor_id": "7"}
    changed = api.call("PATCH", path, json={**rule, "overlap": "queue", "interval_s": 60}).json()
    assert {name: changed[name] for name in rule} == rule
    coming = api.get(f"{path}/next", params={"count": 2})
    assert coming["ticks"] == ["2100-01-01T10:00:00Z", "2100-01-01T10:01:00Z"]
    assert "10:00:00" <= coming["starts"][0][11:] < "10:00:30"
    assert api.call("DELETE", path).status_code == 204
    api.problem("GET", path, 404)
    api.problem("POST", "/schedules/some/pause", 404)


def test_flows(api: Caller) -> None:
    body = {"name": "ede", "pipeline": "weather", "params": {"city": "Ede"}}
    made = api.post("/flows", {**body, "retry": {"retries": 2}, "timeout_s": 9})
    assert (made["retry"]["retries"], made["timeout_s"], made["queue"]) == (2, 9.0, "etl")
    assert api.problem("POST", "/flows", 409, json=body)["code"] == "duplicate"
    edited = api.call("PATCH", "/flows/ede", json={"retry": None, "priority": 5}).json()
    assert (edited["retry"], edited["priority"], edited["timeout_s"]) == (None, 5, 9.0)
    for wrong, field in (
        ({"priority": "x"}, "priority"),
        ({"name": "new"}, "name"),
        ({"retry": {"retries": -1}}, "retry.retries"),
        ({"params": {"city": 1}}, "params.city"),
        ({"after": ["ede"]}, "after"),
        ({"after": ["weather:lost"]}, "after"),
    ):
        assert api.problem("PATCH", "/flows/ede", 422, json=wrong)["field"] == field
    assert api.call("PATCH", "/flows/ede", json={"after": ["weather:failed"]}).status_code == 200
    assert api.get("/flows/ede")["after"] == ["weather:failed"]
    circle = api.problem("PATCH", "/flows/weather", 422, json={"after": ["ede"]})
    assert "ede → weather → ede" in circle["detail"] or "weather → ede" in circle["detail"]
    assert [flow["name"] for flow in api.get("/flows")["items"]] == ["ede", "weather"]
    assert api.call("DELETE", "/flows/ede").status_code == 204
    api.problem("GET", "/flows/ede", 404)
    api.problem("DELETE", "/flows/weather", 409)


def test_pipelines_as_code_defines_them(api: Caller) -> None:
    body = {"pipelines": [msgspec.to_builtins(manifest("rain"))]}
    (made,) = api.post("/pipelines", body)["items"]
    assert (made["name"], made["published_version"]) == ("rain", 1)
    assert api.post("/pipelines/rain/unpublish")["published_version"] is None
    api.problem("POST", "/flows/rain/jobs", 409, json=BODY)
    assert api.post("/pipelines/rain/publish", {"version": 1})["published_version"] == 1
    assert api.get("/pipelines/rain")["manifest"]["steps"][0]["name"] == "extract"
    assert api.call("DELETE", "/pipelines/rain").status_code == 204
    api.problem("GET", "/pipelines/rain", 404)


def test_running_a_pipeline_and_asking_for_its_result(api: Caller, here: Store) -> None:
    body = {"jobContext": "dev", "jobParams": {"city": "Gouda"}}
    started = api.call("POST", "/pipelines/weather/run/async", json=body)
    assert started.status_code == 202
    job = started.json()
    assert job["url"] == started.headers["location"] == f"/api/v1/jobs/{job['id']}/result"
    assert api.get(f"/jobs/{job['id']}")["context"] == "dev"
    Hands(here).run(Code.COMPLETED)
    assert api.get(f"//{job['url'][1:]}")["status"] == "completed"
    waited = api.call("POST", "/pipelines/weather/run?timeout=0.05&output=true", json=body)
    assert (waited.status_code, waited.json()["status"]) == (202, "pending")
    assert waited.json()["output"] == ""
    api.problem("POST", "/pipelines/none/run", 404, json=body)
    assert api.problem("POST", "/pipelines/weather/run", 422, json={"params": {}})["field"]


def test_pools_and_workers(api: Caller, here: Store) -> None:
    job = api.post("/flows/weather/jobs", BODY)["id"]
    hands = Hands(here)
    hands.begin(hands.take()[0])
    (pool,) = api.get("/pools")["items"]
    assert (pool["id"], pool["busy"], pool["concurrency"]) == (hands.pool, 1, 1)
    for number in ("all", str(pool["id"])):
        (worker,) = api.get(f"/pools/{number}/workers")["items"]
        assert (worker["job"], worker["job_name"]) == (job, "weather")
    (freed,) = api.post("/workers/all/free", {"reason": "hangs"})["items"]
    assert freed == {"worker": hands.worker, "job": job, "error": ""}
    assert api.get(f"/jobs/{job}")["stopping"] == "stop"
    assert api.post(f"/pools/{pool['id']}/drain")["state"] == "draining"
    api.problem("GET", "/pools/999/workers", 404)
    api.problem("POST", "/workers/999/free", 404)
    api.problem("POST", "/workers/some/free", 404)


def test_health_and_metrics(api: Caller) -> None:
    stranger = Caller(api.client, api.deck)
    assert stranger.call("GET", "//healthz").json() == {"status": "ok"}
    assert stranger.call("HEAD", "//healthz").status_code == 200
    assert stranger.call("GET", "//readyz").status_code == 200
    api.post("/flows/weather/jobs", BODY)
    text = stranger.call("GET", "//metrics").text
    assert 'jobdeck_jobs{status="pending"} 1.0' in text
    assert 'jobdeck_queue_jobs{queue="etl",status="pending"} 1.0' in text


def test_metrics_may_be_closed(here: Store) -> None:
    deck = Deck(here, Settings(open_metrics=False))
    with TestClient(create_app(deck)) as client:
        assert client.get("/metrics").status_code == 401
        token = {"Authorization": f"Bearer {deck.start_token}"}
        assert client.get("/metrics", headers=token).status_code == 200


def test_a_store_out_of_reach_is_503(api: Caller, here: Store) -> None:
    assert here.path is not None
    here.close()
    for path in here.path.parent.glob("jobdeck.db*"):
        shutil.move(path, path.with_name(f"moved-{path.name}"))
    found = api.problem("GET", "/jobs", 503)
    assert found["code"] == "store_unreachable"
    api.problem("POST", "/flows/weather/jobs", 503, json=BODY)
    api.problem("GET", "//readyz", 503)
    assert api.call("GET", "//healthz").status_code == 200


def test_a_store_that_takes_no_writes_is_not_ready(
    api: Caller, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writable, "EVERY_S", 0.0)
    monkeypatch.setattr(writable, "EVERY_FAILED_S", 0.0)
    with monkeypatch.context() as full:
        full.setattr(here, "write", refuses)
        assert "the disk is full" in api.problem("GET", "//readyz", 503)["detail"]
        assert api.call("GET", "//readyz?reading=true").status_code == 200
    assert api.call("GET", "//readyz").status_code == 200


def test_asking_often_whether_it_is_ready_writes_seldom(
    api: Caller, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writable, "EVERY_S", 3600.0)
    assert api.call("GET", "//readyz").status_code == 200
    watch = CommitWatch(here)
    watch.committed()
    for _ in range(20):
        assert api.call("GET", "//readyz").status_code == 200
    assert not watch.committed()
    watch.close()


def refuses(**_: object) -> object:
    raise StoreUnreachable("The store cannot be used: the disk is full; free some space.")


def test_every_answer_is_guarded_by_headers(api: Caller) -> None:
    for path in ("/jobs", "/nothing", "//healthz", "//api/docs"):
        headers = api.call("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"]


def test_everything_is_below_the_base_path(here: Store) -> None:
    deck = Deck(here, Settings(token="t"), base_path="/some/where")
    with TestClient(create_app(deck)) as client:
        api = Caller(client, deck, token="t")
        answer = api.call("POST", "/flows/weather/jobs", json=BODY)
        assert answer.headers["location"] == f"/some/where/api/v1/jobs/{answer.json()['id']}"
        assert client.get("/api/v1/jobs").status_code == 404
        assert "/some/where/api/docs/style.css" in api.call("GET", "//api/docs").text
        schema = api.call("GET", "//api/openapi.json").json()
        assert schema["servers"] == [{"url": "/some/where"}]
        for path in ("/some/where/healthz", "/healthz", "/readyz"):
            assert client.get(path).status_code == 200


def test_several_stores_are_applications_of_their_own(
    here: Store, sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "other.db")
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    decks = [
        Deck(store, Settings(token="t"), base_path=path)
        for store, path in ((here, "/a"), (other, "/b"))
    ]
    with TestClient(create_app(decks)) as client:
        first, second = (Caller(client, deck, token="t") for deck in decks)
        first.post("/flows/weather/jobs", BODY)
        assert first.get("/jobs/count")["pending"] == 1
        assert second.get("/jobs/count")["pending"] == 0
    other.close()
    with pytest.raises(StartFailed, match="same path"):
        create_app([decks[0], decks[0]])


def test_the_description_is_complete(api: Caller) -> None:
    schema = Caller(api.client, api.deck).call("GET", "//api/openapi.json").json()
    described = {
        (method.upper(), path) for path, calls in schema["paths"].items() for method in calls
    }
    served = set()
    for route in api.client.app.routes:
        path = getattr(route, "path_format", "")
        if path.startswith(("/api/v1", "/healthz", "/readyz", "/metrics")):
            served |= {(str(method), path) for method in route.methods - {"OPTIONS"}}
    assert described == served
    calls: list[dict[str, Any]] = [c for each in schema["paths"].values() for c in each.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    for call in calls:
        assert call["summary"]
        for code, response in call["responses"].items():
            if int(code) >= 400:
                assert "application/problem+json" in response["content"]


def test_the_page_of_calls_loads_nothing_from_elsewhere(api: Caller) -> None:
    page = Caller(api.client, api.deck).call("GET", "//api/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "/flows/{flow}/jobs" in page.text
    style = api.client.get("/api/docs/style.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
