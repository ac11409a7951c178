"""The clean-up over REST, and what it is told by."""

from __future__ import annotations

from tests.integration.api.caller import Caller


def test_it_is_shown_and_asked_for(api: Caller) -> None:
    told = api.get("/cleanup")
    assert (told["keep"]["completed"], told["keep"]["payload"]) == ("30d", "forever")
    assert (told["at"], told["last"]) == ("05:00", None)
    answer = api.call("POST", "/cleanup", json={"dry_run": True, "reason": "full"})
    job = answer.json()
    assert (answer.status_code, job["queue"], job["params"]["dry_run"]) == (202, "CLEANUP", True)
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert api.get("/cleanup")["last"]["id"] == job["id"]
    api.problem("POST", "/cleanup", 422, json={"dry_run": "perhaps"})
