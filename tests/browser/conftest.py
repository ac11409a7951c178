"""A browser, a server process over a store of its own, and pages that may not complain."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from jobdeck.store import schema
from jobdeck.store.database import Store
from tests.browser.world import World
from tests.integration.launched import Launched, environment, free_port

TOKEN = "open-sesame"
WIDE = (1440, 900)
PHONE = (390, 844)
_ARGS = (
    *("--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


class Site:
    """A server over one store, at one port; it can be ended and started again."""

    def __init__(self, folder: Path, base_path: str = "") -> None:
        self.folder = folder
        self.base_path = base_path
        self.port = free_port()
        self.store = Store(f"sqlite:///{folder}/jobs.db")
        schema.ensure(self.store)
        self.world = World(self.store)
        self.launched: Launched | None = None

    @property
    def address(self) -> str:
        """Where its pages begin."""
        return f"http://127.0.0.1:{self.port}{self.base_path}"

    def start(self) -> None:
        """Serve, and wait until it answers."""
        argv = [sys.executable, "-m", "jobdeck.cli", "web", "--port", str(self.port)]
        argv += ["--store", f"sqlite:///{self.folder}/jobs.db"]
        if self.base_path:
            argv += ["--base-path", self.base_path]
        env = environment(JOBDECK_TOKEN=TOKEN)
        self.launched = Launched(argv, cwd=self.folder, env=env)
        self.launched.link()

    def end(self) -> None:
        """Serve no longer."""
        if self.launched is not None:
            self.launched.__exit__(None, None, None)
            self.launched = None

    def close(self) -> None:
        """End it and let go of the store."""
        self.end()
        self.store.close()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests of this process."""
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*root, *_ARGS])
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


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens pages as somebody who is signed in; a page that complains fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

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
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=script,
            has_touch=size == PHONE,
            is_mobile=size == PHONE,
            locale="en-GB",
            timezone_id="Europe/Amsterdam",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        if not quiet:
            page.on("console", complain)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        if signed_in:
            page.goto(f"{site.address}/sign-in?token={TOKEN}")
        page.goto(f"{site.address}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def live(page: Page) -> Page:
    """The page, once its stream is open."""
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    return page
