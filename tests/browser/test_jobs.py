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
    expect(page.locator("#filter-q")).to_be_hidden()
    page.locator("label.fold-label").tap()
    expect(page.locator("#filter-q")).to_be_visible()


def test_a_page_is_small(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    size = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
    assert size < 150_000


def test_filters_are_text_and_chips_at_once(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    expect(page).to_have_url(re.compile("status%3Afailed"))
    expect(page.locator(".job-row:not([data-status=failed])")).to_have_count(0)
    page.get_by_role("button", name="Flow", exact=True).click()
    page.locator("#menu-flow").get_by_role("link", name="weather-coast").click()
    field = page.locator("#filter-q")
    expect(field).to_have_value("status:failed flow:weather-coast")
    field.fill("status:failed flow:weather-coast nothing holds this")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.get_by_role("link", name=re.compile("^nothing holds this")).click()
    expect(field).to_have_value("status:failed flow:weather-coast")
    page.go_back()
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.get_by_role("link", name="Clear the filters").click()
    expect(page).to_have_url(f"{site.address}/jobs")
    field.fill("state:failed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("there is no 'state' to filter by")


def test_the_filter_is_completed(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    field = page.locator("#filter-q")
    field.press_sequentially("pipeline:inv")
    option = page.get_by_role("option")
    # What belonged to the text a letter ago may be there for a moment.
    expect(option).to_have_count(1)
    expect(option).to_have_text("invoices")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "completion-1")
    page.keyboard.press("Enter")
    expect(field).to_have_value("pipeline:invoices ")
    page.keyboard.type("dur")
    expect(option).to_have_count(1)
    expect(option).to_contain_text("duration:")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(option).to_have_count(1)
    option.click()
    page.keyboard.type(">0s")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("duration%3A%3E0s"))
    names = page.locator(".job-row .c-name")
    expect(names.first).to_contain_text("invoices")


def test_a_number_finds_its_job(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    number = (page.locator(".job-row").last.get_attribute("id") or "").removeprefix("job-")
    field, job = page.locator("#filter-q"), page.locator(f"#job-{number}")
    field.press_sequentially(number)
    expect(page.get_by_role("option").first).to_contain_text(f"Job {number}")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value(f"id:{number} ")
    field.fill(f"#{number}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=f"id:{number}")).to_be_visible()
    expect(page.locator(".job-row")).to_have_count(1)
    expect(job).to_be_visible()
    field.fill(number)
    page.keyboard.press("Enter")
    page.locator("#meant").get_by_role("link", name=f"Job {number}").click()
    expect(page).to_have_url(f"{site.address}/jobs/{number}")


def test_a_range_of_dates_is_in_the_readers_zone(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.get_by_role("button", name="Created", exact=True).click()
    page.get_by_label("From", exact=True).fill("2020-06-01T12:00:00")
    page.get_by_label("to", exact=True).fill("2020-06-02T12:00:00")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    expect(page.locator("#filter-q")).to_have_value(
        "created:2020-06-01T10:00:00..2020-06-02T10:00:00"
    )


def test_sorting_and_paging(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    first = page.locator(".job-row").first.get_attribute("id")
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(page.locator(".job-row").first).not_to_have_attribute("id", first or "")
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(".job-row").first).to_have_attribute("id", first or "")
    duration = page.get_by_role("columnheader", name="Duration")
    duration.get_by_role("link").click()
    expect(duration).to_have_attribute("aria-sort", "descending")
    duration.get_by_role("link").click()
    expect(duration).to_have_attribute("aria-sort", "ascending")
    status = page.get_by_role("columnheader", name="Status")
    status.get_by_role("link").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("sort=duration%2C-status"))
    expect(status).to_contain_text("2")
    expect(duration).to_contain_text("1")


def test_the_chart_narrows_the_list(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs?q=status:completed"))
    chart = page.locator(".plot.strip .u-over")
    expect(chart).to_be_visible()
    count = page.locator(".volume-words strong")
    # At once: they are drawn again together.
    before, numbers = page.locator(".volume").evaluate(
        """e => [e.querySelector(".volume-words strong").innerText,
          [...e.querySelectorAll("tbody td:nth-child(2)")].map((e) => Number(e.textContent))]"""
    )
    assert before == f"{sum(numbers)} jobs"
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 80, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 8, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile("created%3A.*status%3A|status%3A.*created%3A"))
    expect(count).not_to_have_text(before)


@pytest.mark.walks(
    "/jobs/views/save",
    "/jobs/views/{view_id}/rename",
    "/jobs/views/{view_id}/delete",
)
def test_a_list_is_kept_under_a_name(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs?q=status:failed+duration:>0s&sort=-duration")
    views = page.get_by_role("button", name="Views")
    views.click()
    page.get_by_role("link", name="Save this list").click()
    page.get_by_label("Name", exact=True).fill("Slow failures")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as Slow failures.")).to_be_visible()
    page.goto(f"{site.address}/jobs")
    views.click()
    page.get_by_role("link", name="Slow failures", exact=True).click()
    expect(page).to_have_url(re.compile("q=status.*sort=-duration"))
    views.click()
    page.get_by_role("link", name="Rename Slow failures").click()
    page.get_by_label("Name", exact=True).fill("Slow ones")
    page.get_by_role("button", name="Rename").click()
    views.click()
    page.get_by_role("link", name="Delete Slow ones").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The view is gone.")).to_be_visible()
    views.click()
    expect(page.locator("#menu-views")).not_to_contain_text("Slow ones")


def test_jobs_are_selected(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    page = live(visit(site, "/jobs"))
    bar = page.locator("#pick-bar")
    expect(bar).to_be_hidden()
    failed = page.locator(".job-row[data-status=completed] [data-pick]")
    failed.first.check()
    failed.nth(3).click(modifiers=["Shift"])
    expect(bar).not_to_contain_text("1 selected")
    expect(bar).to_contain_text(" selected")
    retry = bar.get_by_role("button", name="Retry")
    many = page.locator("[data-pick]:checked").count()
    assert many >= 4
    site.world.begin(job_id)
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "running")
    expect(bar).to_contain_text(f"{many} selected")
    bar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Delete {many} jobs?")
    dialog.get_by_role("link", name="Cancel").click()
    page.get_by_label("Select all jobs on this page").check()
    everything = page.get_by_label(re.compile("Select everything that matches"))
    everything.check()
    expect(bar).to_contain_text(re.compile(r"\d+ jobs selected"))
    bar.get_by_role("button", name="Export").click()
    expect(dialog).to_contain_text("Export")
    page.keyboard.press("Escape")
    failed.first.uncheck()
    expect(everything).to_be_hidden()
    bar.get_by_role("button", name="Select none").click()
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar).to_contain_text("1 selected")
    expect(retry).to_have_attribute("aria-disabled", "true")
    site.world.end(job_id, began=clock.now())


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


def test_nothing_moves_on_a_phone_until_somebody_asks(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs", size=PHONE))
    pill = page.locator("#held")
    top = page.locator(".job-row").first
    name, place = top.get_attribute("id"), top.bounding_box()
    new = site.world.create("weather")
    expect(pill).to_contain_text("1 new job")
    assert (top.get_attribute("id"), top.bounding_box()) == (name, place)
    pill.locator("span").tap()
    expect(page.locator(f"#job-{new}")).to_be_visible()
    expect(pill.locator("span")).to_be_hidden()

    other = site.world.create("weather")
    for job_id in (new, other):
        site.world.begin(job_id)
    page = live(visit(site, "/jobs?q=status:running", size=PHONE))
    pill, ended = page.locator("#held"), page.locator(f"#job-{other}")
    expect(ended).to_be_visible()
    site.world.end(other, began=clock.now())
    expect(pill).to_contain_text("The list has changed")
    expect(ended).to_have_class(re.compile("gone"))
    pill.locator("span").tap()
    expect(ended).to_have_count(0)
    expect(page.locator(f"#job-{new}")).to_be_visible()
    site.world.end(new, began=clock.now())


def test_typed_text_and_focus_survive_changes(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs"))
    search = page.locator("#filter-q")
    search.press_sequentially("half a wo")
    job_id = site.world.create("weather")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    expect(search).to_be_focused()
    expect(search).to_have_value("half a wo")


def test_the_keyboard_is_enough(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.keyboard.press("/")
    expect(page.locator("#filter-q")).to_be_focused()
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
    expect(page).to_have_url(re.compile("status%3Acompleted"))
    page.locator("#filter-q").fill("status:completed flow:weather-coast")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("flow%3Aweather-coast"))
    expect(page.locator(".job-row:not([data-status=completed])")).to_have_count(0)
    page.locator("td.c-id a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("weather-coast")


def test_too_much_to_sort_is_said_where_the_list_would_be(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs?cursor=broken")
    expect(page.get_by_role("alert")).to_contain_text("cursor")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
