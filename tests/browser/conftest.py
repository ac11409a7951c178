"""A browser and pages that may not complain, over servers with stores of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from tests import evidence
from tests.browser import walks
from tests.browser.site import PHONE, TOKEN, WIDE, Site, chromium_args
from tests.browser.walks import walked

__all__ = ["PHONE", "TOKEN", "WIDE", "Site", "walked"]

# How long a page may take on a busy machine before a test gives up; none waits for it idly.
expect.set_options(timeout=30_000)


# Not for the session: Playwright's event loop runs in this thread for as long as it is open, and
# whatever other test comes to this process may want one of its own.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests of this process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=chromium_args())
        walks.watch(browser)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose store has a day of work behind it and jobs in every state."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.world.define()
    made.world.open_pool()
    made.world.day()
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose store holds nothing, under a path of its own."""
    made = Site(tmp_path_factory.mktemp("bare"), "/ops/jobs")
    made.start()
    yield made
    made.close()


# A link that is clicked before the scripts of its page are there leads to another page, as for
# somebody who has none; nothing can be clicked until they are.
_WAIT = """(() => {
  let value = "none";
  const set = () => document.documentElement?.style.setProperty("pointer-events", value);
  new MutationObserver((_, watch) => {
    set();
    watch.disconnect();
  }).observe(document, { childList: true });
  addEventListener("load", () => {
    value = "";
    set();
  }, { once: true });
})()"""


def wait_for_scripts(context: BrowserContext) -> None:
    """Let clicks on its pages wait until their scripts are there."""
    context.add_init_script(_WAIT)


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens pages as somebody who is signed in; a page that complains fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def session(site: Site) -> StorageState:
        if site.session is None:
            context = browser.new_context()
            context.new_page().goto(f"{site.address}/sign-in?token={TOKEN}")
            site.session = context.storage_state()
            context.close()
        return site.session

    def complain(message: ConsoleMessage) -> None:
        refused = "the server responded with a status of 4" in message.text
        if message.type == "error" and not refused:
            complaints.append(message.text)

    def open_page(
        site: Site,
        path: str,
        *,
        size: tuple[int, int] = WIDE,
        theme: str = "light",
        script: bool = True,
        signed_in: bool = True,
        quiet: bool = False,
        own_session: bool = False,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=script,
            has_touch=size == PHONE,
            is_mobile=size == PHONE,
            locale="en-GB",
            timezone_id="Europe/Amsterdam",
            storage_state=session(site) if signed_in and not own_session else None,
        )
        wait_for_scripts(context)
        contexts.append(context)
        page = context.new_page()
        evidence.offer(context, f"Shown at {path}", lambda: shown(page))
        if not quiet:
            page.on("console", complain)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        if signed_in and own_session:
            page.goto(f"{site.address}/sign-in?token={TOKEN}")
        page.goto(f"{site.address}{path}")
        return page

    yield open_page
    for context in contexts:
        evidence.withdraw(context)
        context.close()
    assert not complaints


def shown(page: Page) -> str:
    """Where it is and what can be read on it."""
    return f"{page.url}\n{page.locator('body').aria_snapshot(timeout=2000)}"


def live(page: Page) -> Page:
    """The page, once its stream is open."""
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    return page
