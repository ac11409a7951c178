"""Pipelines and flows: what there is, how it does, and what can be done to it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.states import Reason
from jobdeck.store import changes, flows, items, pipelines
from tests.browser.conftest import PHONE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")


def new_version(site: Site, name: str) -> None:
    """A changed definition that nobody has published."""
    with site.store.write() as conn:
        steps = [StepManifest(name="send", doc="Sends every letter.")]
        made = PipelineManifest(name=name, steps=steps, queue="mail", code_hash="changed")
        pipelines.register(conn, made, clock.now(), publish=False)
        changes.add(conn, clock.now(), [("pipeline", name, "registered")])


@pytest.mark.walks("/pipelines/{name}/publish", "/pipelines/{name}/remove")
def test_a_version_is_published_from_the_table(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/pipelines"))
    row = page.locator("#pipeline-newsletter")
    expect(row.locator(".c-status")).to_have_text("enabled")
    row.get_by_role("button", name="Actions of newsletter").click()
    menu = page.locator(".menu:popover-open")
    expect(menu.get_by_role("link")).to_have_text(
        ["Run", "Unpublish", "Run one at a time", "Add a flow", "Remove"]
    )
    expect(menu.get_by_role("link", name="Run", exact=True)).to_be_focused()
    new_version(site, "newsletter")
    expect(row.get_by_role("cell").nth(4)).to_have_text("2")
    expect(menu).to_be_visible()  # drawn again beneath, it stays open
    menu.get_by_role("link", name="Publish version 2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Version")).to_have_value("2")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.locator(".notice")).to_have_text(re.compile("Jobs of newsletter now run version 2"))
    expect(row.get_by_role("cell").nth(5)).to_have_text("2")
    page.get_by_role("searchbox").fill("letter")
    page.keyboard.press("Enter")
    expect(page.locator(".pipeline-rows tbody tr")).to_have_count(1)
    new_version(site, "letters-of-old")
    page.get_by_role("button", name="Actions of letters-of-old").click()
    menu.get_by_role("link", name="Remove").click()
    dialog.get_by_label("Reason").fill("nobody writes letters")
    dialog.get_by_role("button", name="Remove the pipeline").click()
    expect(page.locator(".notice").last).to_have_text("Pipeline letters-of-old was removed.")
    expect(page).to_have_url(f"{site.address}/pipelines")
    expect(page.locator("#pipeline-letters-of-old")).to_have_count(0)


@pytest.mark.walks(
    "/pipelines/{name}/sequential",
    "/pipelines/{name}/parallel",
    "/pipelines/{name}/unpublish",
)
def test_a_pipeline_is_unpublished_and_made_sequential(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/pipelines/invoices"))
    page.get_by_role("link", name="Run one at a time").click()
    page.get_by_role("dialog").get_by_role("button", name="Run one at a time").click()
    expect(page.locator(".facts")).to_contain_text("sequential")
    page.get_by_role("link", name="Run in parallel").click()
    page.get_by_role("dialog").get_by_role("button", name="Run in parallel").click()
    expect(page.locator(".facts")).to_contain_text("parallel")
    page.get_by_role("link", name="Unpublish").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Unpublish").click()
    expect(dialog.locator("#reason-error")).to_contain_text("say why")
    dialog.get_by_label("Reason").fill("the printer is broken")
    dialog.get_by_role("button", name="Unpublish").click()
    expect(page.locator(".head .state")).to_have_text("disabled")
    expect(page.get_by_text("none of its jobs start")).to_be_visible()
    expect(page.get_by_role("link", name="Run", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Publish version 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.locator(".head .state")).to_have_text("enabled")


@pytest.mark.walks(
    "/pipelines/{name}/add-flow",
    "/pipelines/{name}/add-flow/check",
    "/flows/{name}/edit",
    "/flows/{name}/edit/check",
    "/flows/{name}/remove",
)
def test_a_flow_is_added_checked_as_one_types_edited_and_removed(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/pipelines/weather"))
    page.get_by_role("link", name="Add a flow").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("weather")
    expect(dialog.get_by_text("There is a flow 'weather' already")).to_be_visible()
    dialog.get_by_label("Name").fill("weather-delft")
    expect(dialog.get_by_text("There is a flow 'weather' already")).to_have_count(0)
    dialog.get_by_label("Rate").fill("ten a minute")
    expect(dialog.locator("[id='rate-error']")).to_contain_text("is not a rate")
    dialog.get_by_label("Rate").fill("10/m")
    dialog.get_by_label("days").fill("40")
    expect(dialog.locator("[id='params.days-error']")).to_contain_text("30")
    dialog.get_by_label("days").fill("14")
    dialog.get_by_label("city").fill("Delft")
    dialog.get_by_label("Runs after").fill("weather-coast:failed")
    dialog.get_by_role("button", name="Add the flow").click()
    expect(page).to_have_url(f"{site.address}/flows/weather-delft")
    expect(page.get_by_text("It has not run yet.")).to_be_visible()
    expect(page.get_by_text("It runs when weather-coast has failed.")).to_be_visible()
    expect(page.get_by_role("region", name="Parameters")).to_contain_text('"Delft"')
    page.get_by_role("link", name="Edit").click()
    dialog.get_by_label("Jobs at once").fill("0")
    expect(dialog.locator("[id='max_running-error']")).not_to_be_empty()
    dialog.get_by_label("Jobs at once").fill("1")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Configuration")).to_contain_text("one after the other")
    with site.store.read() as conn:
        flow = flows.get(conn, "weather-delft")
    assert (flow.params, flow.max_running, flow.rate) == ({"city": "Delft", "days": 14}, 1, "10/m")
    page.get_by_role("link", name="Remove").click()
    dialog.get_by_label("Reason").fill("was a test")
    dialog.get_by_role("button", name="Remove the flow").click()
    expect(page).to_have_url(f"{site.address}/pipelines/weather")
    expect(page.locator(".notice")).to_contain_text("Flow weather-delft was removed.")


@pytest.mark.walks("/flows/{name}/run", "/flows/{name}/run/check")
def test_executions_have_details_and_a_flow_runs(site: Site, visit: Visit) -> None:
    world = site.world
    now = clock.now()
    made = [world.run("weather-hourly", now - n * SECOND, 0.4) for n in range(20, 2, -1)]
    empty = world.run("weather-hourly", now - SECOND, 0.2, reason=Reason.NO_ITEMS)
    running = world.now_running()["running"]
    page = live(visit(site, "/flows/weather-hourly"))
    details = page.locator("#details")
    expect(details.get_by_text("Please select a job execution")).to_be_visible()
    page.get_by_role("link", name=f"Details of {empty}").click()
    expect(details.get_by_role("heading")).to_have_text(f"Execution {empty}")
    expect(details).to_contain_text("no items")
    expect(details).to_contain_text("Its steps counted no items.")
    page.get_by_role("link", name="Older").click()
    expect(page.locator(f"#execution-{made[0]}")).to_be_visible()
    expect(page.locator(f"#execution-{empty}")).to_have_count(0)
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(f"#execution-{empty}")).to_be_visible()
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator(f"#execution-{empty}")).to_be_visible()
    expect(details.get_by_role("heading")).to_have_text(f"Execution {empty}")
    page.goto(f"{site.address}/flows/weather-coast?job={running}")
    expect(details).to_contain_text("20\u202f400 read and 20\u202f100 written in 20 batches")
    row = details.get_by_role("row", name="transform")
    expect(row.get_by_role("cell")).to_contain_text(
        ["transform", "8\u202f400", "8\u202f100", "288", "12", "8", "–"]
    )
    page.get_by_role("link", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("city").fill("Gouda")
    dialog.get_by_label("days").fill("40")
    expect(dialog.locator("[id='params.days-error']")).to_contain_text("30")
    dialog.get_by_label("days").fill("3")
    dialog.get_by_label("Priority").fill("7")
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    expect(page.locator(".facts")).to_contain_text("priority 7")


@pytest.mark.walks("/flows/{name}/forget")
def test_a_flow_forgets_the_items_it_has_taken(site: Site, visit: Visit) -> None:
    job_id = site.world.run("image-scan", clock.now(), 0.1)
    with site.store.write() as conn:
        place = items.Place(flows.get(conn, "image-scan").id, "registry", job_id)
        items.process(conn, place, ["one", "two", "three"], clock.now())
    page = live(visit(site, "/flows/image-scan"))
    panel = page.get_by_role("region", name="Processed items")
    expect(panel).to_contain_text("3 taken, and not taken again")
    panel.get_by_role("link", name="Forget them").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("the registry was rebuilt")
    page.get_by_role("dialog").get_by_role("button", name="Forget them").click()
    expect(page.locator(".notice")).to_contain_text("3 items forgotten.")
    expect(panel).to_contain_text("It remembers no items")


def test_a_phone_shows_a_pipeline_as_a_card(site: Site, visit: Visit) -> None:
    page = visit(site, "/pipelines", size=PHONE)
    row = page.locator("#pipeline-weather")
    expect(row).to_contain_text("weather")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row.get_by_role("button", name="Actions of weather").tap()
    expect(page.locator(".menu:popover-open")).to_be_in_viewport()


def test_a_store_without_pipelines_leads_to_the_first(bare: Site, visit: Visit) -> None:
    page = visit(bare, "/pipelines")
    expect(page.get_by_role("heading", name="No pipelines yet")).to_be_visible()
