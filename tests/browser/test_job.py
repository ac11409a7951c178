"""One job: alive while it runs, and everything that can be done to it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Counts, JobError
from jobdeck.domain.states import Code, Reason
from jobdeck.store import flows, items, jobs
from tests.browser.conftest import PHONE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")


def start(site: Site, flow: str = "weather", params: object = None) -> int:
    """A job that runs."""
    job_id = site.world.create(flow, params=params)
    site.world.begin(job_id)
    return job_id


def at_its_end(page: Page) -> None:
    """Wait until the end of the log is in view."""
    page.wait_for_function(
        "() => { const l = document.getElementById('log'); "
        "return l.scrollHeight - l.scrollTop - l.clientHeight < 24; }"
    )


def test_it_lives(site: Site, visit: Visit) -> None:
    job_id = start(site)
    began = clock.now()
    page = live(visit(site, f"/jobs/{job_id}"))
    site.world.progress(job_id, 3, 4, "reading")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "0.7500")
    site.world.step(
        job_id, 0, "extract", "running", began=began, counts=Counts(read=1500, written=1400)
    )
    line = page.get_by_role("row", name=re.compile("extract"))
    expect(line).to_contain_text("1\u202f500")
    site.world.log(job_id, "the first line", ("warning", "a bad row"))
    expect(page.get_by_role("log")).to_contain_text("the first line")
    site.world.end(job_id, began=began, result={"rows": 1400})
    expect(page.locator(".notice")).to_have_text(re.compile(f"Job {job_id} completed"))
    expect(page).to_have_title(f"weather {job_id} completed · Jobdeck")
    expect(page.locator("#result")).to_contain_text('"rows": 1400')


def test_the_log_filters_follows_and_links(site: Site, visit: Visit) -> None:
    job_id = start(site)
    site.world.log(job_id, *(f"line {n}" for n in range(450)), ("error", "row 7 is broken"))
    page = live(visit(site, f"/jobs/{job_id}"))
    log = page.get_by_role("log")
    expect(log).to_contain_text("line 449")
    expect(log).not_to_contain_text("line 100\n")
    at_its_end(page)
    site.world.log(job_id, "one more")
    expect(log).to_contain_text("one more")
    at_its_end(page)

    log.evaluate("log => { log.scrollTop = 1500 }")
    expect(page.get_by_label("Follow the end")).to_have_attribute("aria-pressed", "false")
    site.world.log(job_id, "and another")
    expect(log).to_contain_text("and another")
    assert log.evaluate("log => log.scrollTop") == 1500
    log.evaluate("log => { log.scrollTop = 0 }")
    expect(log.get_by_text("line 0", exact=True)).to_be_attached()
    expect(page.get_by_role("link", name="Earlier lines")).to_have_count(0)

    page.get_by_label("Least level").select_option("error")
    expect(page).to_have_url(re.compile("level=error"))
    expect(log.locator(".line")).to_have_count(1)
    live(page)
    site.world.log(job_id, "not shown", ("error", "row 9 is broken"))
    expect(log.locator(".line")).to_have_count(2)
    page.get_by_label("Search the log").fill("row 7")
    page.keyboard.press("Enter")
    expect(log.locator(".line")).to_have_count(1)
    address = log.locator(".line a.at").get_attribute("href")
    page.goto(f"{site.address}{address}")
    target = page.locator(":target")
    expect(target).to_contain_text("row 7 is broken")
    expect(target).to_be_in_viewport()


def test_a_hundred_thousand_lines_stay_quick(site: Site, visit: Visit) -> None:
    job_id = start(site)
    for part in range(10):
        site.world.log(job_id, *(f"{part * 10_000 + n} {'x' * 60}" for n in range(10_000)))
    page = live(visit(site, f"/jobs/{job_id}"))
    log = page.get_by_role("log")
    shown = log.locator(".line")
    expect(log).to_contain_text("99999 xxx")
    site.world.log(job_id, *(f"late {n}" for n in range(2000)))
    expect(log.get_by_text("late 1999")).to_be_attached()
    at_its_end(page)

    page.get_by_label("To the first line").click()
    expect(log.get_by_text("0 xxx").first).to_be_in_viewport()
    for number in (499, 999, 1499):  # loads by itself where the reader comes
        expect(log.get_by_text(f"{number} xxx").last).to_be_attached()
        log.evaluate("log => { log.scrollTop = log.scrollHeight }")
    site.world.log(job_id, "the very last")
    assert shown.count() <= 5000
    page.get_by_label("Follow the end").click()
    expect(log.get_by_text("the very last")).to_be_attached()
    at_its_end(page)

    page.goto(f"{site.address}/jobs/{job_id}?find=777 xxx")
    expect(log.locator("mark").first).to_have_text("777 xxx")
    line = log.locator(".line").first
    # At once: the search goes on, so that another line may soon be the first.
    read = "line => [line.querySelector('.text').innerText, line.id]"
    text, anchor = line.evaluate(read)
    page.goto(f"{site.address}/jobs/{job_id}#{anchor}")
    expect(page.locator(":target .text")).to_have_text(text)
    expect(page.locator(":target")).to_be_in_viewport()


def test_the_log_can_be_saved(site: Site, visit: Visit) -> None:
    job_id = start(site)
    site.world.log(job_id, "kept", ("error", "broken"), step="extract")
    page = visit(site, f"/jobs/{job_id}")
    with page.expect_download() as found:
        page.get_by_label("Download the log as text").click()
    text = found.value.path().read_text()
    assert re.search(r"^\S+Z info     extract kept$", text, re.MULTILINE)
    assert found.value.suggested_filename == f"job-{job_id}.log"


@pytest.mark.walks("/jobs/{job_id}/stop")
def test_stopping_asks_for_a_reason_and_shows_at_once(site: Site, visit: Visit) -> None:
    job_id = start(site)
    page = live(visit(site, f"/jobs/{job_id}"))
    page.get_by_role("link", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Stop job {job_id} of weather?")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Stop the job").click()
    expect(dialog).to_contain_text("say why")
    dialog.get_by_label("Reason").fill("wrong city")
    dialog.get_by_role("button", name="Stop the job").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".job-head .state")).to_have_text("stopping")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_attribute(
        "aria-disabled", "true"
    )
    expect(page.get_by_text("It is stopping already.")).to_be_attached()


def test_changes_wait_behind_an_open_dialog(site: Site, visit: Visit) -> None:
    job_id = start(site)
    page = live(visit(site, f"/jobs/{job_id}"))
    page.get_by_role("link", name="Kill", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    site.world.end(job_id, began=clock.now())
    page.wait_for_timeout(800)  # long enough for what must not come
    expect(page.locator(".job-head .state")).to_have_text("running")
    page.keyboard.press("Escape")
    expect(page.locator(".job-head .state")).to_have_text("completed")


@pytest.mark.walks("/jobs/{job_id}/retry")
def test_what_is_open_and_chosen_survives_changes(site: Site, visit: Visit) -> None:
    job_id = site.world.fail("weather", clock.now() - 60 * SECOND)
    page = live(visit(site, f"/jobs/{job_id}"))
    stack = page.locator("details.stack")
    stack.locator("summary").click()
    expect(stack.locator("pre")).to_be_visible()
    page.get_by_role("link", name="Retry", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.locator(".job-head .state")).to_have_text("pending")
    site.world.begin(job_id)
    error = JobError(type="ValueError", message="again", step="extract", traceback="the stack")
    site.world.end(job_id, Code.FAILED, began=clock.now(), reason=Reason.ERROR, error=error)
    expect(page.locator(".job-head .state")).to_have_text("failed")
    expect(page.get_by_role("row", name=re.compile("Attempt 2"))).to_be_visible()


@pytest.mark.walks("/jobs/{job_id}/again")
def test_running_again_checks_the_parameters(site: Site, visit: Visit) -> None:
    params = {"city": "Utrecht", "days": 7, "unit": "celsius"}
    job_id = site.world.run("weather", clock.now() - 60 * SECOND, 1.0)
    page = visit(site, f"/jobs/{job_id}")
    page.get_by_role("link", name="Run again", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("city")).to_be_focused()
    dialog.get_by_label("days").fill("99")
    dialog.get_by_role("button", name="Run").click()
    expect(dialog.get_by_label("days")).to_have_attribute("aria-invalid", "true")
    expect(dialog).to_contain_text("maximum of 30")
    dialog.get_by_label("city").fill("Zwolle")
    dialog.get_by_label("days").fill("3")
    dialog.get_by_role("button", name="Run").click()
    expect(page).not_to_have_url(re.compile(f"/jobs/{job_id}$"))
    expect(page.locator(".notice")).to_contain_text(f"made from job {job_id}")
    number = int(page.url.rpartition("/")[2])
    with site.store.read() as conn:
        job = jobs.get(conn, number)
    assert job.params["city"] == "Zwolle"
    assert job.params["days"] == 3
    assert job.retry_of == job_id
    assert params
    related = page.get_by_role("region", name="Related jobs")
    related.get_by_role("listitem").filter(has_text="Made from").get_by_role("link").click()
    again = related.get_by_role("listitem").filter(has_text="Run again as")
    expect(again).to_contain_text("pending")
    again.get_by_role("link", name=str(number)).click()
    expect(page).to_have_url(f"{site.address}/jobs/{number}")


def test_the_items_that_it_took_are_seen(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    names = [f"2026/11/{n:02}/measurements-of-the-station-at-the-coast.csv" for n in range(12)]
    now = clock.now()
    with site.store.write() as conn:
        place = items.Place(flows.target(conn, "weather").flow_id, "ftp://data.example", job_id)
        items.claim(conn, place, names, now, now + 3600 * SECOND)
        items.defer(conn, place, names[:2], now)
        items.process(conn, place, names[2:5], now)
    page = visit(site, f"/jobs/{job_id}")
    panel = page.get_by_role("region", name="Processed items")
    expect(panel.locator("dd")).to_have_text([re.compile(f"^{n} ") for n in (3, 7, 2)])
    expect(panel.get_by_role("listitem")).to_have_count(8)
    panel.get_by_role("link", name="All of them").click()
    rows = page.get_by_role("region", name="Items").get_by_role("listitem")
    expect(rows).to_have_count(12)
    page.get_by_role("link", name="Deferred").click()
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(names[0])


@pytest.mark.walks("/jobs/{job_id}/delete")
def test_deleting_leads_back_to_the_list(site: Site, visit: Visit) -> None:
    job_id = site.world.run("newsletter", clock.now() - 60 * SECOND, 1.0)
    page = visit(site, f"/jobs/{job_id}")
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_label("Reason").fill("made by mistake")
    page.get_by_role("dialog").get_by_role("button", name="Delete the job").click()
    expect(page).to_have_url(f"{site.address}/jobs")
    expect(page.locator(".notice")).to_contain_text(f"Job {job_id} was deleted.")
    page.goto(f"{site.address}/jobs/{job_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"There is no job {job_id}")


def test_deeds_work_without_script(site: Site, visit: Visit) -> None:
    job_id = site.world.create("nightly-backup")
    page = visit(site, f"/jobs/{job_id}", script=False)
    page.get_by_role("link", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the job").click()
    expect(page.get_by_text("say why")).to_be_visible()
    page.get_by_label("Reason").fill("not tonight")
    page.get_by_role("button", name="Stop the job").click()
    expect(page).to_have_url(f"{site.address}/jobs/{job_id}")
    expect(page.locator(".job-head .state")).to_have_text("stopped")
    expect(page.get_by_text("not tonight").first).to_be_visible()


def test_a_phone_shows_everything(site: Site, visit: Visit) -> None:
    job_id = start(site)
    page = visit(site, f"/jobs/{job_id}", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """() => [...document.querySelectorAll(".deeds .btn, .log-tools .icon-button")]
          .filter((e) => e.getBoundingClientRect().height < 44).length"""
    )
    assert small == 0
