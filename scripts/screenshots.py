"""Pictures of the pages: at both widths, in both themes, with no, few and many rows.

`python scripts/screenshots.py [FOLDER]` writes PNG files (default folder: screenshots), and those
of the documentation into docs/pictures.
"""

from __future__ import annotations

import shutil
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

DOCS = Path(__file__).parents[1] / "docs/pictures"
DOCUMENTED = {
    "overview": ("overview-1440-light", "overview-390-dark"),
    "jobs": ("jobs-1440-light", "jobs-390-light"),
    "job": ("job-failed-1440-light", "job-running-1440-dark"),
    "controls": ("queues-1440-light", "schedules-1440-light", "workers-1440-light"),
    "pipelines": ("pipelines-1440-light", "pipeline-1440-dark", "flow-1440-light"),
    "find": ("errors-1440-light", "logs-1440-light", "palette-1440-dark"),
}
"""What the documentation shows, by subject."""


class Picture(NamedTuple):
    """A page to be taken; `does` says what is clicked, or pressed (`key:`), or typed (`type:`)
    first."""

    name: str
    path: str
    does: tuple[str, ...] = ()


def main(folder: str = "screenshots") -> None:
    """Take every picture."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium; on Debian: apt-get install chromium-headless-shell")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as stores:
        browser = playwright.chromium.launch(executable_path=chromium, args=chromium_args())
        for rows in ("none", "few", "many"):
            site = Site(_made(Path(stores) / rows))
            try:
                pictures = _fill(site, rows)
                site.start()
                _take(browser, site, pictures, target / rows)
            finally:
                site.close()
        browser.close()
    DOCS.mkdir(exist_ok=True)
    for names in DOCUMENTED.values():
        for name in names:
            shutil.copyfile(target / "many" / f"{name}.png", DOCS / f"{name}.png")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


PLACES = ("jobs", "queues", "schedules", "workers", "pipelines", "errors", "logs", "job-manager")


def _fill(site: Site, rows: str) -> list[Picture]:
    """Put so many jobs into the store, and say which pages are worth a picture then."""
    pictures = [Picture("overview", "/"), *(Picture(name, f"/{name}") for name in PLACES)]
    if rows == "none":
        return [*pictures, Picture("sign-in", "/sign-in"), Picture("missing", "/jobs/4711")]
    world = site.world
    world.define()
    world.open_pool()
    if rows == "few":
        world.run("weather-coast", clock.now() - 90 * SECOND, 3.2, result={"rows": 312})
        return [*pictures, Picture("flow", "/flows/weather-coast")]
    world.day()
    failed = world.fail("weather", clock.now() - 60 * SECOND)
    made = world.now_running()
    _log(site, failed)
    running = f"/jobs/{made['running']}"
    return [
        *pictures,
        Picture("jobs-failed", "/jobs?status=failed"),
        Picture("jobs-none-match", "/jobs?q=nothing+like+this"),
        Picture("jobs-retry", "/jobs?status=failed", ("[data-pick]", "[data-pick-deed=retry]")),
        Picture("jobs-children", f"/jobs?open={made['parent']}"),
        Picture("job-running", running),
        Picture("job-failed", f"/jobs/{failed}"),
        Picture("job-stop", running, ("a[href$='/stop']",)),
        Picture("job-again", running, ("a[href$='/again']",)),
        Picture("pipelines-menu", "/pipelines", ("#pipeline-weather [popovertarget]",)),
        Picture("pipeline", "/pipelines/weather"),
        Picture("flow", f"/flows/weather-coast?job={made['running']}"),
        Picture("flow-edit", "/flows/weather-coast", ("a[href$='/edit']", "#rate", "type:often")),
        Picture("flow-run", "/flows/weather-coast", ("a[href$='/run']",)),
        Picture("error-group", "/errors/1"),
        Picture("errors-resolved", "/errors?state=resolved"),
        Picture("logs-errors", "/logs?level=error"),
        Picture("job-manager", "/", ("key:m",)),
        Picture("queues-stop", "/queues", ("[data-pick][value=billing]", "[data-pick-deed=stop]")),
        Picture("schedule-new", "/schedules", ("a[href$='/new']", "#cron", "type:0 5 * * 1-5")),
        Picture("palette", "/", ("key:Control+k", "type:weather")),
        Picture("help", "/jobs", ("key:?",)),
    ]


def _log(site: Site, job_id: int) -> None:
    site.world.log(
        job_id,
        "fetching 7 days",
        ("warning", "the answer takes long, trying once more"),
        ("error", "no answer, giving up"),
        step="extract",
        at=clock.now() - 60 * SECOND,
    )


def _take(browser: Browser, site: Site, pictures: list[Picture], folder: Path) -> None:
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
            for picture in pictures:
                site.world.beat()
                page.goto(f"{site.address}{picture.path}")
                _settle(page, picture)
                path = folder / f"{picture.name}-{size[0]}-{theme}.png"
                page.screenshot(path=str(path))
                print(path)
            context.close()


def _settle(page: Page, picture: Picture) -> None:
    """Wait until the page is alive and shows what it should."""
    if page.locator("#live-state").count():
        page.locator("#live-state[data-state=live]").wait_for()
    for store in page.locator(".store").all():  # not where this machine keeps its files
        store.evaluate("element => (element.textContent = 'sqlite:///jobs.db')")
    for step in picture.does:
        kind, _, what = step.partition(":")
        if kind == "key":
            page.keyboard.press(what)
        elif kind == "type":
            page.keyboard.type(what)
        else:
            page.locator(step).first.click()
        page.wait_for_timeout(500)


if __name__ == "__main__":
    main(*sys.argv[1:])
