"""Stuck jobs and finishing by force, over REST."""

from __future__ import annotations

from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
from tests.integration.hands import Hands

BODY = {"params": {"city": "Gouda"}}


def test_finish(api: Caller, here: Store) -> None:
    job = api.post("/flows/weather/jobs", BODY)["id"]
    path = f"/jobs/{job}/finish"
    api.problem("POST", path, 409, json={"reason": "hangs"})
    hands = Hands(here)
    (taken,) = hands.take()
    hands.begin(taken)
    assert api.problem("POST", path, 422, json={"reason": ""})["field"] == "reason"
    assert api.problem("POST", path, 422, json={"as": "failed"})["field"] == "reason"
    assert api.problem("POST", path, 422, json={"as": "done", "reason": "x"})["field"] == "as"
    found = api.post(path, {"as": "stopped", "reason": "hangs"})
    assert (found["status"], found["reason"]) == ("stopped", "stopped")
    assert api.get(f"/jobs/{job}")["status"] == "stopped"


def test_stuck_and_recover(api: Caller, here: Store) -> None:
    assert api.get("/jobs/stuck")["items"] == []
    job = api.post("/flows/weather/jobs", BODY)["id"]
    hands = Hands(here)
    (taken,) = hands.take()
    hands.begin(taken)
    with here.write() as conn:
        conn.exec_driver_sql("UPDATE pools SET heartbeat_at = 0")
    (found,) = api.get("/jobs/stuck")["items"]
    assert (found["job"], found["kind"], found["remedy"]) == (job, "orphaned", "give_back")
    dry = api.post("/jobs/recover", {"dry_run": True})
    assert (dry["dry_run"], dry["jobs"][0]["outcome"]) == (True, "")
    assert api.get(f"/jobs/{job}")["status"] == "running"
    done = api.post("/jobs/recover", {"reason": "burned down"})
    assert [each["outcome"] for each in done["jobs"]] == ["done"]
    assert api.get(f"/jobs/{job}")["status"] == "pending"
    assert api.problem("GET", "/jobs/stuck?stale_s=1", 422)["field"] == "stale_s"
    assert api.problem("POST", "/jobs/recover", 422, json={"stale_s": 1})["field"] == "stale_s"
