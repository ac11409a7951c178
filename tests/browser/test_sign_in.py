"""Signing in and out, and what is shown to those who have not."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TOKEN, Site, Visit

pytestmark = pytest.mark.needs("chromium")


@pytest.mark.walks("/sign-in")
def test_the_token_opens_the_page_that_was_asked_for(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs?status=failed", signed_in=False)
    expect(page).to_have_url(re.compile("/sign-in"))
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.address}/jobs?status=failed")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def test_a_wrong_token_says_what_to_do(site: Site, visit: Visit) -> None:
    page = visit(site, "/sign-in", signed_in=False)
    page.get_by_label("Token").fill("guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The token is not valid")
    expect(page.get_by_label("Token")).to_be_focused()


def test_a_session_that_ended_is_said_and_leads_back(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    page = visit(site, f"/jobs/{job_id}")
    page.get_by_role("link", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("not today")
    page.context.clear_cookies()
    dialog.get_by_role("button", name="Stop the job").click()
    expect(page.get_by_role("alert")).to_contain_text("What you just asked for was not done")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.address}/jobs/{job_id}")
    expect(page.get_by_role("link", name="Stop", exact=True)).to_be_visible()


@pytest.mark.walks("/sign-out")
def test_signing_out_ends_the_session(site: Site, visit: Visit) -> None:
    page = visit(site, "/", own_session=True)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto(f"{site.address}/jobs")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_it_works_under_a_path(bare: Site, visit: Visit) -> None:
    page = visit(bare, "/", signed_in=False)
    expect(page).to_have_url(f"{bare.address}/sign-in")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{bare.address}/")
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page).to_have_url(f"{bare.address}/jobs")
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/nonsense", "There is no page /nonsense"),
        ("/jobs/999999", "There is no job 999999"),
        ("/jobs?status=broken", "That is not a valid request"),
    ],
)
def test_what_is_not_there_leads_somewhere(site: Site, visit: Visit, path: str, title: str) -> None:
    page = visit(site, path)
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.get_by_role("link", name="Overview").last.click()
    expect(page).to_have_url(f"{site.address}/")
