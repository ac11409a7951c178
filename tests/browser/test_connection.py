"""The stream of a page: lost and found again, closed where nobody looks."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Visit, live
from tests.integration.launched import until

pytestmark = pytest.mark.needs("chromium")


def test_a_lost_connection_says_so_and_recovers(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs", quiet=True))
    banner = page.get_by_text("Connection lost, trying again")
    expect(banner).to_be_hidden()
    site.end()
    expect(banner).to_be_visible()
    page.get_by_role("link", name="Failed").click()
    expect(page.get_by_text("The page shows what it showed before")).to_be_visible()
    job_id = site.world.create("weather")
    site.start()
    expect(page.locator(f"#job-{job_id}")).to_be_visible(timeout=30_000)
    expect(banner).to_be_hidden()


def hide(page: Page, hidden: str) -> None:
    """Tell the page that its tab is hidden, or shown again."""
    page.evaluate(
        """hidden => {
          const value = hidden === "yes";
          Object.defineProperty(document, "hidden", { value, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_a_hidden_page_rests_and_catches_up(site: Site, visit: Visit) -> None:
    page = live(visit(site, "/jobs"))
    hide(page, "yes")
    reading = "() => Boolean(document.querySelector('[data-live]')._htmx.sse.reader)"
    until(lambda: not page.evaluate(reading), "the stream rests")
    job_id = site.world.create("weather")
    page.wait_for_timeout(800)  # long enough for what must not come
    expect(page.locator(f"#job-{job_id}")).to_have_count(0)
    hide(page, "no")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()


def test_there_is_one_stream_a_page(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    streams: list[str] = []
    page.on(
        "request", lambda request: streams.append(request.url) if "/live" in request.url else None
    )
    live(page)
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**cursor=**")
    live(page)
    page.wait_for_timeout(1500)  # an old stream that goes on would have come back by now
    assert len([url for url in streams if "/jobs/live" in url and "cursor=" in url]) == 1
    assert "cursor=" in [url for url in streams if "/jobs/live" in url][-1]
