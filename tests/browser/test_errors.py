"""Failures gathered by their error: seen, resolved, back again, retried."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import JobError
from jobdeck.domain.states import Code, Reason
from tests.browser.conftest import PHONE, Site, Visit, live

pytestmark = pytest.mark.needs("chromium")

ERROR = JobError(type="ledger.Unbalanced", message="entry 17 is off by 3 cents", step="collect")


def fail(site: Site) -> int:
    """One more job that fails by the same error."""
    return site.world.run(
        "invoices", clock.now() - SECOND, 0.5, code=Code.FAILED, reason=Reason.ERROR, error=ERROR
    )


@pytest.mark.walks(
    "/errors/{group_id}/resolve",
    "/errors/{group_id}/reopen",
    "/errors/{group_id}/mute",
    "/errors/{group_id}/unmute",
    "/errors/{group_id}/retry",
)
def test_an_error_is_seen_resolved_back_again_and_retried(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/errors"))
    first = fail(site)
    row = page.get_by_role("row", name=re.compile("Unbalanced"))
    expect(row).to_contain_text("entry 17 is off by 3 cents")
    expect(row.get_by_label("1 failures in the last 24 hours")).to_be_visible()
    fail(site)
    expect(row.get_by_label("2 failures in the last 24 hours")).to_be_visible()
    row.get_by_role("link", name=re.compile("Unbalanced")).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("ledger.Unbalanced")
    expect(page.get_by_role("link", name=re.compile(f"^{first} invoices"))).to_be_visible()
    expect(page.get_by_text("entry <n> is off by <n> cents")).to_be_visible()
    page.get_by_role("link", name="Mark resolved").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the books are right again")
    dialog.get_by_role("button", name="Mark resolved").click()
    expect(page.locator(".job-why")).to_contain_text("the books are right again")
    page.get_by_role("link", name="Open again").click()
    dialog.get_by_role("button", name="Open again").click()
    expect(page.locator(".job-head .state")).to_have_text("open again")
    page.get_by_role("link", name="Mark resolved").click()
    dialog.get_by_role("button", name="Mark resolved").click()
    expect(page.locator(".job-head .state")).to_have_text("resolved")
    live(page)
    third = fail(site)
    expect(page.locator(".job-head .state")).to_have_text("open again")

    overview = live(visit(site, "/"))
    attention = overview.get_by_role("region", name="Needs attention")
    expect(attention.get_by_role("link", name=f"invoices {third}")).to_be_visible()
    page.get_by_role("link", name="Mute").click()
    dialog.get_by_role("button", name="Mute").click()
    expect(dialog).to_contain_text("say why")
    dialog.get_by_label("Reason").fill("the auditors know of it")
    dialog.get_by_role("button", name="Mute").click()
    expect(page.locator(".job-why")).to_contain_text("the auditors know of it")
    expect(attention.get_by_role("link", name=f"invoices {third}")).to_have_count(0)
    page.get_by_role("link", name="Unmute").click()
    dialog.get_by_role("button", name="Unmute").click()
    expect(attention.get_by_role("link", name=f"invoices {third}")).to_be_visible()
    page.get_by_role("link", name="Retry 3 jobs").click()
    dialog.get_by_role("button", name="Retry 3 jobs").click()
    expect(page.locator(".notice").last).to_contain_text("3 jobs will be tried again")
    expect(page.get_by_text("they were retried or deleted since")).to_be_visible()
    retry = page.get_by_role("button", name="Retry")
    expect(retry).to_have_attribute("aria-disabled", "true")


def test_the_list_is_narrowed_on_a_phone(site: Site, visit: Visit) -> None:
    page = visit(site, "/errors?q=KeyError&flow=weather", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".error-rows tbody tr, .blank h2").first).to_be_visible()
    page.get_by_role("link", name="Resolved", exact=True).click()
    expect(page).to_have_url(re.compile("state=resolved"))
    expect(page.get_by_role("heading", name="No error matches")).to_be_visible()
