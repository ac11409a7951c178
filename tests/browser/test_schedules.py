"""Schedules: made with a look at what is to come, edited, held, run now, removed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.store import schedules
from tests.browser.conftest import Site, Visit, live

pytestmark = pytest.mark.needs("chromium")


def row(page: Page, number: int) -> Locator:
    """The row of a schedule."""
    return page.locator(f"#schedule-{number}")


def choose(page: Page, number: int, deed: str, reason: str = "") -> None:
    """Choose a deed in a row's menu, and answer its dialog."""
    page.get_by_role("button", name=f"More for schedule {number}", exact=True).click()
    page.get_by_role("link", name=deed, exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=f"{deed.split(maxsplit=1)[0]} it").click()
    expect(dialog).to_have_count(0)


@pytest.mark.walks(
    "/schedules/new",
    "/schedules/{schedule_id}/edit",
    "/schedules/run",
    "/schedules/pause",
    "/schedules/resume",
    "/schedules/remove",
)
def test_a_schedule_from_its_making_to_its_end(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/schedules?sort=-created"))
    page.get_by_role("link", name="New schedule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Flow").select_option("newsletter")
    preview = dialog.locator("#preview")
    expect(preview).to_contain_text("the next times are shown here")
    dialog.get_by_label("Cron expression").fill("0 25 * * *")
    expect(preview).to_contain_text("is not a cron expression")
    dialog.get_by_role("button", name="Make the schedule").click()
    expect(dialog.locator("#cron-error")).to_contain_text("is not a cron expression")
    dialog.get_by_label("Cron expression").fill("30 6 * * 1")
    dialog.get_by_label("Time zone").fill("Europe/Amsterdam")
    expect(preview).to_contain_text("At 06:30, only on Monday in Europe/Amsterdam")
    expect(preview.get_by_role("listitem")).to_have_count(5)
    expect(preview.get_by_role("listitem").first).to_contain_text(re.compile("Mon,.* 06:30:00 CE"))
    dialog.get_by_role("button", name="Make the schedule").click()
    expect(page.locator(".notice")).to_contain_text("of newsletter was made")
    with site.store.read() as conn:
        (made,) = schedules.all(conn, "newsletter")
    expect(row(page, made.id).locator(".c-next")).to_contain_text(re.compile(r"\d\d:\d\d"))

    page.get_by_role("button", name=f"More for schedule {made.id}", exact=True).click()
    page.get_by_role("link", name="Edit").click()
    expect(dialog.get_by_label("Cron expression")).to_have_value("30 6 * * 1")
    dialog.get_by_label("Cron expression").fill("")
    dialog.get_by_label("Or every").fill("90m")
    dialog.get_by_text("More settings").click()
    dialog.get_by_label("Ends").fill("2031-05-01T12:00:00")
    dialog.get_by_label("While its last job has not ended").select_option("queue")
    expect(preview).to_contain_text("until 2031-05-01 10:00 UTC")
    dialog.get_by_role("button", name="Keep the changes").click()
    expect(row(page, made.id)).to_contain_text("Every 90 minutes")
    expect(row(page, made.id)).to_contain_text("one after the other")

    choose(page, made.id, "Run now")
    notice = page.locator(".notice").last
    expect(notice).to_contain_text(f"Schedule {made.id}: job")
    choose(page, made.id, "Pause", "the list is wrong")
    expect(row(page, made.id).locator(".c-state")).to_contain_text("by admin")
    expect(row(page, made.id)).to_contain_text("the list is wrong")
    choose(page, made.id, "Resume")
    expect(row(page, made.id).locator(".c-state")).to_have_text("running")
    choose(page, made.id, "Remove", "done with it")
    expect(row(page, made.id)).to_have_count(0)
    page.get_by_role("link", name=re.compile(f"Schedule {made.id}: job")).click()
    expect(page.locator(".job-head")).to_contain_text("newsletter")


def test_a_pause_of_all_is_said_and_leaves_single_ones(site: Site, visit: Visit) -> None:
    with site.store.write() as conn:
        held, other = (each.id for each in schedules.all(conn)[:2])
        schedules.pause(conn, held, by="ana", reason="its own", now=clock.now() - 60 * SECOND)
    page = live(visit(site, "/schedules"))
    page.get_by_role("link", name="Pause all").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("the night is for maintenance")
    page.get_by_role("dialog").get_by_role("button", name="Pause all").click()
    banner = page.locator(".banner")
    expect(banner).to_contain_text("No schedule fires")
    expect(banner).to_contain_text("by admin, because: the night is for maintenance")
    expect(row(page, other).locator(".c-state")).to_have_text("held")
    page.get_by_role("link", name="Resume all").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 is paused by itself and stays so")
    page.get_by_role("dialog").get_by_label("Reason").fill("it is over")
    page.get_by_role("dialog").get_by_role("button", name="Resume all").click()
    expect(banner).to_have_count(0)
    expect(row(page, held).locator(".c-state")).to_contain_text("its own")
    page.get_by_label("Select all schedules").check()
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Resume 2 schedules")).click()
    expect(row(page, held).locator(".c-state")).to_have_text("running")
