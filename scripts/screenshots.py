"""Pictures of the pages: at both widths, in both themes, with no, few and many rows.

`python scripts/screenshots.py [FOLDER]` writes PNG files (default folder: screenshots).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Browser, Page, sync_playwright

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from tests.browser.site import PHONE, TOKEN, WIDE, Site, chromium_args
from tests.conftest import find_chromium


class Picture(NamedTuple):
    """A page to be taken; `click` is pressed first."""

    name: str
    path: str
    click: str = ""


def main(folder: str = "screenshots") -> None:
    """Take every picture."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium; on Debian: apt-get install chromium")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as stores:
        browser = playwright.chromium.launch(executable_path=chromium, args=chromium_args())
        for rows in ("none", "few", "many"):
            site = Site(_made(Path(stores) / rows))
            try:
                pictures = _fill(site, rows)
                site.start()
                for picture in pictures:
                    _take(browser, site, picture, target / rows)
            finally:
                site.close()
        browser.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _fill(site: Site, rows: str) -> list[Picture]:
    """Put so many jobs into the store, and say which pages are worth a picture then."""
    pictures = [Picture("overview", "/"), Picture("jobs", "/jobs")]
    if rows == "none":
        return [*pictures, Picture("sign-in", "/sign-in"), Picture("missing", "/jobs/4711")]
    world = site.world
    world.define()
    world.open_pool()
    if rows == "few":
        world.run("weather-coast", clock.now() - 90 * SECOND, 3.2, result={"rows": 312})
        return pictures
    world.day()
    failed = world.fail("weather", clock.now() - 60 * SECOND)
    made = world.now_running()
    running = f"/jobs/{made['running']}"
    return [
        *pictures,
        Picture("jobs-failed", "/jobs?status=failed"),
        Picture("jobs-none-match", "/jobs?q=nothing+like+this"),
        Picture("jobs-children", f"/jobs?open={made['parent']}"),
        Picture("job-running", running),
        Picture("job-failed", f"/jobs/{failed}"),
        Picture("job-stop", running, click="a[href$='/stop']"),
        Picture("job-again", running, click="a[href$='/again']"),
    ]


def _take(browser: Browser, site: Site, picture: Picture, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for size in (WIDE, PHONE):
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if theme == "dark" else "light",
                is_mobile=size == PHONE,
                has_touch=size == PHONE,
                locale="en-GB",
            )
            page = context.new_page()
            page.goto(f"{site.address}/sign-in?token={TOKEN}")
            page.goto(f"{site.address}{picture.path}")
            _settle(page, picture)
            name = f"{picture.name}-{size[0]}-{theme}.png"
            page.screenshot(path=str(folder / name))
            print(folder / name)
            context.close()


def _settle(page: Page, picture: Picture) -> None:
    """Wait until the page is alive and shows what it should."""
    if page.locator("#live-state").count():
        page.locator("#live-state[data-state=live]").wait_for()
    if picture.click:
        page.locator(picture.click).first.click()
        page.locator("dialog[open]").wait_for()


if __name__ == "__main__":
    main(*sys.argv[1:])
