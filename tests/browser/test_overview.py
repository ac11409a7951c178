"""The overview: what waits, what runs, what is wrong, and what can be done at once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from jobdeck.domain import clock
from jobdeck.store import queues
from tests.browser.conftest import PHONE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")


def test_it_counts_as_jobs_come_and_go(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/"))
    waiting = page.get_by_label("Pending jobs in queues")
    expect(waiting.locator(".n")).to_have_text("0")
    expect(waiting.get_by_role("button", name="Stop all")).to_have_attribute(
        "aria-disabled", "true"
    )
    first, second = site.world.create("invoices"), site.world.create("newsletter")
    expect(waiting.locator(".n")).to_have_text("2")
    expect(waiting).to_contain_text("billing")
    site.world.begin(first)
    expect(page.get_by_role("img", name="1 of 4 workers are busy")).to_be_visible()
    running = page.locator(f"#running-{first}")
    expect(running).to_contain_text("invoices")
    site.world.progress(first, 1, 2)
    expect(running.get_by_role("progressbar")).to_have_attribute("value", "0.5000")
    site.world.end(first, began=clock.now())
    expect(running).to_have_count(0)
    site.world.begin(second)
    site.world.end(second, began=clock.now())
    expect(waiting.locator(".n")).to_have_text("0")


def test_each_trouble_leads_to_its_cause(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/"))
    for ago in (4, 3, 2):
        site.world.fail("newsletter", clock.now() - ago * 1_000_000)
    failing = page.get_by_role("link", name=re.compile("Flow newsletter keeps failing"))
    expect(failing).to_have_attribute("href", "/flows/newsletter")
    job_id = site.world.fail("newsletter", clock.now())
    trouble = page.get_by_role("listitem").filter(has_text=f"newsletter {job_id}")
    expect(trouble).to_be_visible()
    with site.store.write() as conn:
        queues.pause(conn, "mail", by="ana", reason="the server is down", now=clock.now())
    held = site.world.create("newsletter")
    paused = page.get_by_role("link", name=re.compile("Queue mail is paused"))
    expect(paused).to_contain_text("by ana: the server is down, holds 1 job")
    paused.click()
    expect(page).to_have_url(re.compile("/queues.q=mail"))
    page.locator("#queue-mail .c-pending a").click()
    expect(page.locator(f"#job-{held}")).to_be_visible()
    page.goto(f"{site.address}/jobs/{held}")
    expect(page.locator(".job-why")).to_contain_text(
        re.compile("paused by ana.*the server is down")
    )
    page.goto(f"{site.address}/")
    page.get_by_role("link", name=f"newsletter {job_id}").click()
    expect(page).to_have_url(f"{site.address}/jobs/{job_id}")
    with site.store.write() as conn:
        queues.resume(conn, "mail")
    site.world.begin(held)
    site.world.end(held, began=clock.now())


@pytest.mark.walks("/queues/all/stop")
def test_stopping_all_names_its_targets(site: Site, visit: Visit) -> None:
    made = [site.world.create("invoices") for _ in range(3)]
    page = live(visit(site, "/"))
    page.get_by_role("link", name="Stop all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("3 pending jobs will be stopped, in billing (3)")
    dialog.get_by_label("Reason").fill("the invoices are wrong")
    dialog.get_by_role("button", name="Stop all").click()
    expect(page.locator(".notice")).to_contain_text("3 jobs stopped")
    expect(page.get_by_label("Pending jobs in queues").locator(".n")).to_have_text("0")
    page.goto(f"{site.address}/jobs/{made[0]}")
    expect(page.locator(".job-head .state")).to_have_text("stopped")


@pytest.mark.walks("/schedules/all/pause", "/schedules/all/resume")
def test_all_schedules_pause_and_resume(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/"))
    card = page.get_by_label("Schedules")
    card.get_by_role("link", name="Pause all").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("maintenance")
    page.get_by_role("dialog").get_by_role("button", name="Pause all").click()
    expect(card.locator(".state")).to_have_text("paused")
    card.get_by_role("link", name="Resume all").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("maintenance is over")
    page.get_by_role("dialog").get_by_role("button", name="Resume all").click()
    expect(card.locator(".state")).to_have_text("running")


def test_the_chart_holds_every_job_of_its_range(site: Site, visit: Visit) -> None:
    page = visit(site, "/")
    expect(page.locator(".plot canvas")).to_be_visible()
    # At once: they are drawn again together.
    bars, said = page.evaluate(
        """() => [JSON.parse(document.querySelector("[data-chart]").dataset.bars),
          document.getElementById("main").innerText.match(/^last 24 hours: .*/m)[0]]"""
    )
    counted = said.partition(": ")[2].partition(",")[0]
    assert sum(sum(bar[1:]) for bar in bars) == int(counted)


def test_a_new_store_leads_to_the_first_job(bare: Site, visit: Visit) -> None:
    page = live(visit(bare, "/"))
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    expect(page.get_by_text("jobdeck new my-jobs")).to_be_visible()
    worker = page.get_by_text("jobdeck worker my-jobs/pipelines.py")
    expect(worker).to_contain_text(f"--store {bare.store.name}")
    bare.world.define()
    job_id = bare.world.create("newsletter")
    expect(page.get_by_role("heading", name="No jobs yet")).to_have_count(0)
    expect(page.get_by_text("No worker pool is running 1 job waits in mail")).to_be_visible()
    assert job_id


def test_a_phone_shows_it_in_one_column(site: Site, visit: Visit) -> None:
    page = visit(site, "/", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
