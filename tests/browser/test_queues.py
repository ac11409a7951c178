"""Queues: what waits in them is seen, and each deed for those that are selected."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.store import queues
from tests.browser.conftest import PHONE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")


def row(page: Page, name: str) -> Locator:
    """The row of a queue."""
    return page.locator(f"#queue-{name}")


def answer(page: Page, reason: str, button: str) -> None:
    """Answer the dialog."""
    page.get_by_role("dialog").get_by_label("Reason").fill(reason)
    page.get_by_role("dialog").get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.walks("/queues/pause", "/queues/stop", "/queues/resume")
def test_selected_queues_are_paused_stopped_and_resumed(site: Site, visit: Visit) -> None:
    made = [site.world.create("invoices") for _ in range(2)]
    page = live(visit(site, "/queues?sort=name"))
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_have_attribute("aria-disabled", "true")
    page.get_by_label("Select queue billing").check()
    page.get_by_label("Select queue mail").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("dialog")).to_contain_text("billing2 pending")
    page.get_by_role("dialog").get_by_role("button", name="Pause 2 queues").click()
    expect(page.get_by_text("say why, in a few words")).to_be_visible()
    answer(page, "the printer is broken", "Pause 2 queues")
    expect(page.locator(".notice")).to_contain_text("billing: paused. mail: paused.")
    expect(row(page, "billing")).to_contain_text("paused")
    expect(row(page, "billing")).to_contain_text("by admin")
    expect(row(page, "mail")).to_contain_text("the printer is broken")

    # The selection has survived; it tells which deeds are possible now.
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-disabled", "true")
    made.append(site.world.create("invoices"))
    expect(row(page, "billing").locator(".c-pending")).to_have_text("3")
    expect(page.get_by_label("Select queue billing")).to_be_checked()
    stop.click()
    answer(page, "all of them are wrong", "Stop 2 queues")
    expect(page.locator(".notice").last).to_contain_text("billing: 3 jobs stopped. mail: 0 jobs")
    expect(row(page, "billing").locator(".c-pending")).to_have_text("0")
    page.get_by_role("button", name="Resume").click()
    answer(page, "", "Resume 2 queues")
    expect(row(page, "billing").locator(".c-state")).to_have_text("open")
    page.goto(f"{site.address}/jobs/{made[0]}")
    expect(page.locator(".job-head .state")).to_have_text("stopped")


@pytest.mark.walks("/queues/{name}/limits")
def test_limits_are_set_and_shown(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/queues"))
    page.get_by_role("button", name="More for queue etl").click()
    page.get_by_role("link", name="Limits").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Rate").fill("ten")
    dialog.get_by_role("button", name="Set the limits").click()
    expect(dialog.locator("#rate-error")).to_contain_text("ten")
    dialog.get_by_label("Rate").fill("10/m")
    dialog.get_by_label("Jobs at once").fill("4")
    dialog.get_by_role("button", name="Set the limits").click()
    expect(row(page, "etl").locator(".c-limits")).to_have_text("4 at once, 10/m")
    with site.store.write() as conn:
        queues.limit(conn, "etl", {"max_running": None, "rate": None})


def test_long_waits_are_marked_and_sorted(site: Site, visit: Visit) -> None:
    with site.store.write() as conn:
        queues.pause(conn, "scans", by="ana", reason="", now=clock.now())
    job_id = site.world.create("image-scan", at=clock.now() - 30 * 3600 * SECOND)
    page = visit(site, "/queues?sort=-latency")
    expect(page.locator("tbody tr").first).to_have_id("queue-scans")
    expect(row(page, "scans").get_by_title("has waited for more than 24 hours")).to_be_visible()
    expect(page.locator(".banner")).to_contain_text("scans (1 job, paused)")
    row(page, "scans").locator(".c-pending a").click()
    expect(page).to_have_url(re.compile("queue=scans&status=pending|status=pending&queue=scans"))
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    with site.store.write() as conn:
        queues.resume(conn, "scans")
    site.world.begin(job_id)
    site.world.end(job_id, began=clock.now())


@pytest.mark.walks("/recover")
def test_what_is_stuck_gets_on_again(site: Site, visit: Visit) -> None:
    late = clock.now() - 3600 * SECOND
    job_id = site.world.create("invoices", at=late - SECOND, run_at=late)
    page = live(visit(site, "/"))
    page.get_by_role("link", name="Recover jobs").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(f"1 job will get on again: invoices {job_id}"))
    dialog.get_by_label("Reason").fill("the clock stood still")
    dialog.get_by_role("button", name="Recover").click()
    expect(page.locator(".notice")).to_contain_text("1 job recovered.")
    expect(page.get_by_role("link", name="Recover jobs")).to_have_count(0)
    page.goto(f"{site.address}/jobs/{job_id}")
    expect(page.locator(".job-head .state")).to_have_text("pending")
    site.world.begin(job_id)
    site.world.end(job_id, began=clock.now())


def test_without_script_it_works_as_well(site: Site, visit: Visit) -> None:
    page = visit(site, "/queues", script=False, size=PHONE)
    page.get_by_label("Select queue etl").check()
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Reason").fill("maintenance")
    page.get_by_role("button", name="Pause the queue").click()
    expect(page.locator(".notice")).to_contain_text("etl: paused")
    expect(row(page, "etl")).to_contain_text("maintenance")
    with site.store.write() as conn:
        queues.resume(conn, "etl")
