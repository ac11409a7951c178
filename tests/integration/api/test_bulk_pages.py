"""The forms by which many jobs are changed from the page of jobs, without a browser."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from jobdeck.domain import clock
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Status
from jobdeck.http import auth, csrf
from jobdeck.store import jobs, sessions
from jobdeck.store.database import Store
from jobdeck.web import overview_deeds, queue_deeds
from tests.integration.actions.test_bulk import at_work, ended
from tests.integration.api.caller import Caller

BODY = {"params": {"city": "Gouda"}}
SESSION = "a session of an operator"


@pytest.fixture
def pages(api: Caller) -> Caller:
    """The pages, asked by a browser of an operator."""
    with api.deck.store.write() as conn:
        sessions.open(conn, auth.digest(SESSION), Actor("ana", Role.OPERATOR), clock.now(), 60)
    caller = Caller(api.client, api.deck)
    caller.headers = {
        "Cookie": f"{api.deck.cookie}={SESSION}",
        csrf.HEADER: csrf.token(SESSION),
        "Sec-Fetch-Site": "same-origin",
    }
    return caller


def create(api: Caller, many: int) -> list[int]:
    return [api.post("/flows/weather/jobs", BODY)["id"] for _ in range(many)]


def send(pages: Caller, path: str, form: dict[str, object]) -> httpx.Response:
    return pages.call("POST", f"/{path}", data=form)


def test_selected_ones(api: Caller, pages: Caller, here: Store) -> None:
    ids = create(api, 3)
    query = "&".join(f"id={each}" for each in ids[:2])
    form = pages.call("GET", f"//jobs/bulk/stop?{query}").text
    assert "Stop 2 jobs?" in form
    assert f'name="id" value="{ids[1]}"' in form
    assert f"Job {ids[0]}" in form
    without = send(pages, "/jobs/bulk/stop", {"id": ids[:2], "reason": " "})
    assert (without.status_code, "say why" in without.text) == (422, True)
    done = send(pages, "/jobs/bulk/stop", {"id": ids[:2], "reason": "spring"})
    assert (done.status_code, done.headers["location"]) == (303, "/jobs")
    again = send(pages, "/jobs/bulk/stop", {"id": ids, "reason": "spring"})
    assert "1 stopped, 2 skipped" in again.text
    assert "it is stopped already" in again.text


def test_everything_that_matches(api: Caller, pages: Caller, here: Store) -> None:
    create(api, 3)
    form = pages.call("GET", "//jobs/bulk/priority?all=1&status=pending&flow=weather").text
    assert "Change the priority of 3 jobs?" in form
    (address,) = re.findall(r'<form[^>]*action="(/jobs/bulk/priority[^"]*)"', form)
    later = create(api, 1)[0]
    done = send(pages, html.unescape(address), {"priority": "7"})
    assert done.status_code == 303, done.text
    number = int(done.headers["location"].rpartition("/")[2])
    with here.read() as conn:
        job = jobs.get(conn, number)
    assert (job.queue, job.created_by) == ("BULK", "ana")
    assert (job.params["priority"], job.params["filter"]) == (7, "status:pending flow:weather")
    assert job.params["upto"] < later


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/jobs/bulk/stop", {}, 422),
        ("/jobs/bulk/stop", {"id": "x", "reason": "r"}, 404),
        ("/jobs/bulk/stop", {"id": "9" * 30, "reason": "r"}, 404),
        ("/jobs/bulk/move", {"id": "1", "queue": "nowhere"}, 404),
        ("/jobs/bulk/priority", {"id": "1", "priority": "high"}, 422),
        ("/jobs/bulk/retry", {"id": "1", "from": "middle"}, 422),
        ("/jobs/bulk/stop?all=1&status=odd", {"reason": "r"}, 422),
        ("/jobs/bulk/burn", {"id": "1"}, 404),
    ],
)
def test_what_does_not_fit(pages: Caller, path: str, form: dict[str, object], status: int) -> None:
    answer = send(pages, path, form)
    assert answer.status_code == status, answer.text


def test_an_export(api: Caller, pages: Caller, here: Store) -> None:
    create(api, 2)
    form = pages.call("GET", "//jobs/bulk/export?all=1&flow=weather").text
    assert "Export 2 jobs?" in form
    done = send(pages, "/jobs/bulk/export?all=1&flow=weather", {"format": "csv"})
    assert done.status_code == 303, done.text
    wrong = send(pages, "/jobs/bulk/export?all=1", {"format": "xls"})
    assert wrong.status_code == 422


def test_what_became_of_each(api: Caller, pages: Caller, here: Store) -> None:
    create(api, 3)
    done = send(pages, "/jobs/bulk/stop?all=1&flow=weather", {"reason": "spring"})
    number = int(done.headers["location"].rpartition("/")[2])
    assert "Abort" in pages.call("GET", f"//jobs/{number}").text
    with at_work(here):
        ended(here, number)
    page = pages.call("GET", f"//jobs/{number}").text
    assert "What became of each" in page
    assert f'href="/jobs/{number}/items"' in page
    assert 'href="/flows/jobdeck.bulk"' not in page
    listed = pages.call("GET", f"//jobs/{number}/items?outcome=done&after=1").text
    assert ('href="/jobs/2"' in listed, 'href="/jobs/1"' in listed) == (True, False)
    assert "None." in pages.call("GET", f"//jobs/{number}/items?outcome=skipped").text
    assert pages.call("GET", f"//jobs/{number}/items?outcome=odd").status_code == 422
    for path in ("//jobs/1/items", "//jobs/999/items"):
        assert pages.call("GET", path).status_code == 404


def test_a_long_queue_is_stopped_by_a_job(
    api: Caller, pages: Caller, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_deeds, "AT_ONCE", 2)
    monkeypatch.setattr(overview_deeds, "AT_ONCE", 2)
    made = create(api, 3)
    with here.read() as conn:
        queue = jobs.get(conn, made[0]).queue
    assert (
        "A job of the queue BULK does it" in pages.call("GET", f"//queues/stop?queue={queue}").text
    )
    done = send(pages, "/queues/stop", {"queue": queue, "reason": "spring"})
    assert done.status_code == 303, done.text
    with here.read() as conn:
        (job,) = jobs.find(conn, JobFilter(queue="BULK")).items
        assert job.params["filter"] == f"queue:{queue} status:pending"
    with at_work(here):
        ended(here, job.id)
    with here.read() as conn:
        assert {jobs.get(conn, each).status for each in made} == {Status.STOPPED}

    create(api, 3)
    assert "A job of the queue BULK does it" in pages.call("GET", "//queues/all/stop").text
    assert send(pages, "/queues/all/stop", {"reason": "spring"}).status_code == 303
    with here.read() as conn:
        assert jobs.find(conn, JobFilter(queue="BULK")).items[0].id > job.id
