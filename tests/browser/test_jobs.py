"""The list of jobs: dense, filtered by its address, alive, and still while it is read."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from jobdeck.domain import clock
from jobdeck.domain.states import Code
from tests.browser.conftest import PHONE, WIDE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")

_VISIBLE = """selector => [...document.querySelectorAll(selector)].filter((row) => {
  const box = row.getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight && box.height > 0;
}).length"""


def visible(page: Page) -> int:
    """How many jobs can be seen as a whole."""
    found: int = page.evaluate(_VISIBLE, ".job-row")
    return found


def test_many_jobs_are_seen_at_once(site: Site, visit: Visit) -> None:
    assert visible(visit(site, "/jobs", size=WIDE)) >= 25
    phone = visit(site, "/jobs?status=completed", size=PHONE)
    assert visible(phone) >= 5
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_filters_fold_on_a_phone(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs", size=PHONE)
    pipeline = page.get_by_label("Pipeline", exact=True)
    expect(pipeline).to_be_hidden()
    page.locator("label.fold-label").tap()
    expect(pipeline).to_be_visible()


def test_a_page_is_small(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    size = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
    assert size < 150_000


def test_filters_stand_in_the_address(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    expect(page).to_have_url(re.compile("status=failed"))
    expect(page.locator(".job-row:not([data-status=failed])")).to_have_count(0)
    page.get_by_label("Flow", exact=True).select_option("weather-coast")
    expect(page).to_have_url(re.compile("flow=weather-coast"))
    expect(page).to_have_url(re.compile("status=failed"))
    page.get_by_role("searchbox").fill("nothing holds this")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.get_by_role("link", name="Clear the filters").click()
    expect(page).to_have_url(f"{site.address}/jobs")
    page.go_back()
    expect(page).to_have_url(re.compile("nothing"))
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()


def test_a_range_of_dates_is_in_the_readers_zone(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.get_by_label("Created", exact=True).select_option("custom")
    page.get_by_label("From", exact=True).fill("2020-06-01T12:00:00")
    page.get_by_label("to", exact=True).fill("2020-06-02T12:00:00")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("created_after=2020-06-01T10%3A00%3A00"))
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.reload()
    expect(page.get_by_label("From", exact=True)).to_have_value("2020-06-01T12:00")


def test_sorting_and_paging(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    first = page.locator(".job-row").first.get_attribute("id")
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(page.locator(".job-row").first).not_to_have_attribute("id", first or "")
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(".job-row").first).to_have_attribute("id", first or "")
    page.get_by_role("link", name="Duration").click()
    expect(page.get_by_role("columnheader", name="Duration")).to_have_attribute(
        "aria-sort", "descending"
    )
    page.get_by_role("link", name="Duration").click()
    expect(page.get_by_role("columnheader", name="Duration")).to_have_attribute(
        "aria-sort", "ascending"
    )


def test_children_open_under_their_parent(site: Site, visit: Visit) -> None:
    world = site.world
    parent = world.create("invoices")
    began = clock.now()
    world.begin(parent, at=began)
    parts = world.children(parent, "newsletter", 4)
    world.begin(parts[0])
    world.end(parts[0], began=clock.now())
    page = live(visit(site, "/jobs"))
    expect(page.locator(f"#job-{parts[0]}")).to_have_count(0)
    mark = page.locator(f"#job-{parent} .tree")
    expect(mark).to_have_text("1/4 completed")
    mark.click()
    expect(page.locator("tr.child.job-row")).to_have_count(4)
    expect(page).to_have_url(re.compile(f"open={parent}"))
    live(page)
    world.begin(parts[1])
    expect(page.locator(f"#job-{parts[1]}")).to_have_attribute("data-status", "running")
    world.end(parts[1], Code.FAILED, began=clock.now())
    expect(mark).to_have_text("1/4 completed, 1 failed")
    page.locator(f"#job-{parent} .tree").click()
    expect(page.locator("tr.child.job-row")).to_have_count(0)
    for part in parts[2:]:
        world.begin(part)
        world.end(part, began=clock.now())
    world.end(parent, began=began)


def test_a_new_job_appears_and_changes_in_place(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs"))
    job_id = site.world.create("weather")
    job = page.locator(f"#job-{job_id}")
    expect(job).to_have_attribute("data-status", "pending")
    site.world.begin(job_id)
    expect(job).to_have_attribute("data-status", "running")
    site.world.progress(job_id, 30, 120, "reading")
    expect(job.locator("progress")).to_have_attribute("value", "0.2500")
    site.world.end(job_id, began=clock.now())
    expect(job).to_have_attribute("data-status", "completed")


def test_nothing_moves_while_the_list_is_read(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs"))
    watched = site.world.create("weather")
    job = page.locator(f"#job-{watched}")
    expect(job).to_be_visible()
    job.get_by_role("link").first.hover()
    before = job.bounding_box()
    site.world.begin(watched)
    added = site.world.create("newsletter")
    expect(job).to_have_attribute("data-status", "running")
    pill = page.locator("#held")
    expect(pill).to_contain_text("1 new job")
    assert job.bounding_box() == before
    expect(page.locator(f"#job-{added}")).to_have_count(0)
    page.get_by_role("heading", name="Jobs", exact=True).hover()
    expect(page.locator(f"#job-{added}")).to_be_visible()
    expect(pill).to_be_hidden()
    site.world.end(watched, began=clock.now())


def test_typed_text_and_focus_survive_changes(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs"))
    search = page.get_by_role("searchbox")
    search.press_sequentially("half a wo")
    job_id = site.world.create("weather")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    expect(search).to_be_focused()
    expect(search).to_have_value("half a wo")


def test_the_keyboard_is_enough(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator(".job-row").nth(1)
    expect(second.get_by_role("link").first).to_be_focused()
    page.keyboard.press("k")
    first = page.locator(".job-row").first
    expect(first.get_by_role("link").first).to_be_focused()
    page.keyboard.press("?")
    helped = page.get_by_role("dialog")
    expect(helped).to_contain_text("Next row")
    page.keyboard.press("Escape")
    expect(helped).to_be_hidden()
    number = (first.get_attribute("id") or "").removeprefix("job-")
    first.get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/jobs/{number}")


def test_it_works_without_script(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs", script=False)
    page.get_by_role("link", name=re.compile("^Completed")).click()
    expect(page).to_have_url(re.compile("status=completed"))
    page.get_by_label("Flow", exact=True).select_option("weather-coast")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("flow=weather-coast.*"))
    expect(page.locator(".job-row:not([data-status=completed])")).to_have_count(0)
    page.locator("td.c-id a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("weather-coast")


def test_too_much_to_sort_is_said_where_the_list_would_be(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs?cursor=broken")
    expect(page.get_by_role("alert")).to_contain_text("cursor")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
