"""Searching what all jobs have said."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Request, Route, expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from tests.browser.conftest import PHONE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")


def test_a_line_is_found_and_leads_to_its_place_in_the_log(site: Site, visit: Visit) -> None:
    long_ago = clock.now() - 3 * 86400 * SECOND
    old = site.world.create("invoices")
    site.world.log(old, ("error", "the needle of old"), at=long_ago)
    job = site.world.create("weather")
    filler = [f"straw {n}" for n in range(25_000)]
    site.world.log(job, *filler[:600], ("warning", "the needle at hand"), *filler[600:])

    page = visit(site, "/logs")
    lines = page.locator(".found-line")
    expect(lines.first).to_contain_text("straw 24999")
    live(page)
    site.world.log(job, "the newest straw")
    expect(lines.first).to_contain_text("the newest straw")
    page.get_by_label("Text in the line").fill("needle")
    page.keyboard.press("Enter")
    # The second one stands further back than one call looks.
    expect(lines).to_have_text([re.compile("at hand"), re.compile("of old")])
    expect(
        page.get_by_text("No more lines match.").or_(page.get_by_text("That is all."))
    ).to_be_visible()
    page.get_by_label("Least level").select_option("error")
    expect(lines).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(re.compile("/logs$"))
    page.get_by_label("Flow").select_option("weather")
    expect(page).to_have_url(re.compile("flow=weather"))
    page.get_by_label("Text in the line").fill("needle")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=needle"))
    expect(lines).to_have_count(1)
    lines.get_by_title("The line in its log").click()
    expect(page).to_have_url(re.compile(f"/jobs/{job}\\?line="))
    expect(page.locator(":target .text")).to_have_text("the needle at hand")
    expect(page.locator(":target")).to_be_in_viewport()


def _of_the_list_before(seen: Request) -> bool:
    return "/logs/more" in seen.url and "level" not in seen.url


def test_the_last_choice_counts_whatever_is_answered_first(site: Site, visit: Visit) -> None:
    job = site.world.create("weather")
    site.world.log(job, "a thimble", *(f"hay {n}" for n in range(21_000)), ("error", "a thimble"))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = visit(site, "/logs")
    page.route("**/logs/more?*", hold)
    level = page.get_by_label("Least level")
    page.get_by_label("Text in the line").fill("thimble")
    with page.expect_request("**/logs/more?*"):
        page.keyboard.press("Enter")
    lines = page.locator(".found-line")
    level.select_option("error")
    expect(page).to_have_url(re.compile("level=error"))
    with page.expect_event("requestfinished", _of_the_list_before):
        held[0].continue_()  # what the list before goes on with comes only now
    page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(lines).to_have_text([re.compile("error.*a thimble", re.DOTALL)])

    page.unroute("**/logs/more?*")
    page.route("**/logs?*level=warning*", hold)
    with page.expect_request("**/logs?*level=warning*"):
        level.select_option("warning")
    with page.expect_event("requestfailed", lambda seen: "level=warning" in seen.url):
        page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(re.compile("/logs$"))
    expect(level).to_have_value("")


def test_it_fits_a_phone_and_works_without_script(site: Site, visit: Visit) -> None:
    site.world.log(site.world.create("weather"), *(f"plain {n}" for n in range(150)))
    page = visit(site, "/logs?q=plain", size=PHONE, script=False)
    expect(page.locator(".found-line")).to_have_count(100)
    page.get_by_role("link", name="Earlier lines").click()
    expect(page.locator(".found-line")).to_have_count(50)
