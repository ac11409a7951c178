"""Why a job is where it is, over REST and through a client of the server."""

from __future__ import annotations

from jobdeck.client.client import Client
from jobdeck.domain import clock
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
from tests.integration.api.served import TOKEN, Served

BODY = {"params": {"city": "Gouda"}}


def test_why_over_rest(api: Caller) -> None:
    job = api.post("/flows/weather/jobs", BODY)["id"]
    answer = api.get(f"/jobs/{job}/why")
    assert (answer["status"], answer["code"]) == ("pending", "no_pool")
    assert answer["sentence"] == "No pool is alive, so nothing runs jobs."
    assert "jobdeck worker" in answer["advice"]
    assert answer["estimate_s"] is None
    api.post("/queues/etl/pause", {"reason": "down"})
    answer = api.get(f"/jobs/{job}/why")
    assert answer["code"] == "queue_paused"
    assert answer["details"]["paused_by"] == "token"
    assert answer["details"]["paused_at"].endswith("Z")
    api.problem("GET", "/jobs/99999/why", 404)


def test_a_client_of_a_server_hears_the_same(here: Store) -> None:
    with Served(here.address) as served, Client(url=served.url, token=TOKEN) as far:
        job = far.create("weather", {"city": "Gouda"}).id
        far.pause_queue("etl", reason="down")
        with Client(store=here.address) as near:
            assert far.why(job) == near.why(job)
            paused_at = near.why(job).details["paused_at"]
        assert abs(paused_at - clock.now()) < 600 * clock.SECOND
        far.edit_flow("weather", max_running=1, rate="5/m")
        limited = far.limit_queue("etl", max_running=3)
        assert (far.flow("weather").rate, limited.max_running) == ("5/m", 3)
