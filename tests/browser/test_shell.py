"""What every page has: the palette, the keys, and news of what was started here."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from jobdeck.domain import clock
from jobdeck.domain.states import Code, Reason
from tests.browser.conftest import PHONE, Site, Visit, live
from tests.browser.test_access import AXE, check
from tests.browser.test_connection import hide

pytestmark = pytest.mark.needs("chromium")


def test_the_palette_goes_to_pages_jobs_and_names_and_does_things(site: Site, visit: Visit) -> None:
    job_id = site.world.create("weather")
    page = live(visit(site, "/"))
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to, or do")
    options = palette.get_by_role("option")
    chosen = palette.locator('[aria-selected="true"]')
    expect(options.filter(has_text="Pipelines")).to_be_visible()
    expect(options.filter(has_text="Stop all")).to_contain_text("on this page")
    field = palette.get_by_role("combobox")
    field.fill("coast")
    expect(chosen).to_have_text(re.compile("weather-coast.*flow"))
    page.keyboard.press("ArrowDown")
    expect(chosen).to_contain_text("Jobs with “coast”")
    field.fill("nothing like this")
    expect(options).to_have_count(1)
    field.fill(str(job_id))
    expect(chosen).to_contain_text(f"Job {job_id} of weather")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/jobs/{job_id}")
    live(page)
    page.keyboard.press("Control+k")
    field.fill("stop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=re.compile(f"Stop job {job_id}"))).to_be_visible()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_the_palette_and_the_menu(site: Site, visit: Visit, theme: str) -> None:
    page = live(visit(site, "/pipelines", theme=theme, size=PHONE))
    page.get_by_role("button", name="Find").tap()
    page.get_by_role("combobox").fill("weather")
    expect(page.get_by_role("option").first).to_contain_text("weather")
    check(page)
    page.keyboard.press("Escape")
    page.locator(".menu-button").tap()
    expect(page.get_by_role("link", name="Queues")).to_be_visible()
    check(page)


def test_without_script_the_palette_is_a_page(site: Site, visit: Visit) -> None:
    page = visit(site, "/palette?q=coast", script=False)
    page.locator("main").get_by_role("link", name="weather-coast").click()
    expect(page).to_have_url(f"{site.address}/flows/weather-coast")


def test_r_retries_the_job_of_the_row(site: Site, visit: Visit) -> None:
    job_id = site.world.fail("weather", clock.now())
    page = live(visit(site, "/jobs"))
    page.keyboard.press("j")
    expect(page.locator(f"#job-{job_id} [data-open]")).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_role("dialog")).to_contain_text(f"Retry job {job_id}")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Retry the job")


def test_the_end_of_what_was_started_here_is_told_on_any_page(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/flows/weather-coast", own_session=True))
    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_role("dialog").get_by_label("city").fill("Gouda")
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    job_id = int(page.url.rpartition("/")[2])
    page.goto(f"{site.address}/queues")
    live(page)
    other = site.world.run("weather", clock.now(), 0.1)
    site.world.begin(job_id)
    site.world.end(job_id, Code.FAILED, began=clock.now(), reason=Reason.ERROR)
    told = page.locator(".notice")
    expect(told).to_have_text(f"Job {job_id} of weather-coast has failed.")
    expect(told.get_by_role("link")).to_have_attribute("href", f"/jobs/{job_id}")
    assert other
    page.reload()
    live(page)
    expect(page.locator(".notice")).to_have_count(0)


def test_a_hidden_page_tells_by_the_browser_if_that_was_allowed(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/flows/weather-coast", own_session=True))
    page.evaluate("""() => {
      window.Notification = class extends EventTarget {
        static permission = "default";
        static async requestPermission() { return (Notification.permission = "granted"); }
        constructor(text) { super(); document.documentElement.dataset.told = text; }
      };
    }""")
    bell = page.locator("[data-bell]")
    assert page.evaluate("Notification.permission") == "default"  # nobody was asked yet
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    made = site.world.create("weather")
    cookie = page.evaluate("document.body.dataset.watch")
    page.evaluate(f"document.cookie = '{cookie}={made}; path=/'")
    with page.expect_request("**/watched"):
        hide(page, "yes")
    site.world.begin(made)
    site.world.end(made, began=clock.now())
    told = f"Job {made} of weather has completed."
    expect(page.locator("html")).to_have_attribute("data-told", told)
    hide(page, "no")
    expect(page.locator(".notice")).to_have_text(f"Job {made} of weather has completed.")
