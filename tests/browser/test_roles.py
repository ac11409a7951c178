"""A viewer sees everything and is told why nothing can be done."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from jobdeck.domain import clock
from jobdeck.domain.roles import Actor, Role
from jobdeck.http import auth
from jobdeck.store import queues, sessions
from tests.browser.conftest import PHONE, Site, Visit

pytestmark = pytest.mark.needs("chromium")

SESSION = "the session of a viewer"


@pytest.fixture(scope="module", autouse=True)
def viewer(site: Site) -> None:
    """Somebody who may only look."""
    with site.store.write() as conn:
        sessions.open(conn, auth.digest(SESSION), Actor("vera", Role.VIEWER), clock.now(), 3600)


def become_viewer(page: Page, site: Site) -> None:
    """Go on as the viewer."""
    (cookie,) = page.context.cookies()
    page.context.add_cookies([{**cookie, "value": SESSION}])  # type: ignore[typeddict-item]
    page.goto(f"{site.address}/")


def test_buttons_say_why_they_do_nothing(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    page = visit(site, "/")
    become_viewer(page, site)
    expect(page.get_by_text("vera")).to_be_visible()
    expect(page.get_by_role("button", name="Stop all")).to_have_attribute("aria-disabled", "true")
    page.goto(f"{site.address}/jobs/{job_id}")
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_have_attribute("aria-disabled", "true")
    stop.focus()
    why = page.locator(".refusable", has=stop).get_by_role("tooltip")
    expect(why).to_be_visible()
    expect(why).to_have_text("That takes the role operator.")
    page.goto(f"{site.address}/jobs")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    expect(page.locator(".row-actions a")).to_have_count(0)


def test_who_cannot_act_is_not_warned_of_long_waits(site: Site, visit: Visit) -> None:
    with site.store.write() as conn:
        queues.pause(conn, "billing", by="ana", reason="", now=clock.now())
    job_id = site.world.create("invoices", at=clock.now() - 30 * 3600 * 1_000_000)
    page = visit(site, "/", own_session=True)
    expect(page.locator(".banner")).to_contain_text("waited for more than 24 hours in billing")
    become_viewer(page, site)
    expect(page.get_by_text("Queue billing is paused")).to_be_visible()
    expect(page.locator(".banner")).to_have_count(0)
    page.goto(f"{site.address}/queues")
    expect(page.locator("#queue-billing")).to_be_visible()
    expect(page.locator(".banner, [data-pick], .c-actions a")).to_have_count(0)
    pause = page.get_by_role("button", name="Pause")
    pause.hover(force=True)
    expect(page.get_by_text("That takes the role operator.").first).to_be_attached()
    expect(pause).to_have_attribute("aria-disabled", "true")
    with site.store.write() as conn:
        queues.resume(conn, "billing")
    site.world.begin(job_id)
    site.world.end(job_id, began=clock.now())


def test_a_forbidden_page_leads_back(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    page = visit(site, "/", size=PHONE)
    become_viewer(page, site)
    page.goto(f"{site.address}/jobs/{job_id}/stop")
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")
    expect(page.get_by_text("vera is viewer and may not do this")).to_be_visible()
    page.locator("main").get_by_role("link", name="Overview").click()
    expect(page).to_have_url(f"{site.address}/")


def test_other_sites_cannot_use_the_session(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    page = visit(site, "/")
    answer = page.request.post(
        f"{site.address}/jobs/{job_id}/stop", form={"reason": "because", "csrf_token": "guess"}
    )
    assert answer.status == 403
    page.goto(f"{site.address}/jobs/{job_id}")
    expect(page.locator(".job-head .state")).to_have_text("pending")
