"""Everybody can use every page: axe finds nothing, at both widths, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobdeck.domain import clock
from jobdeck.store import items
from tests.browser.conftest import PHONE, WIDE, Site, Visit
from tests.conftest import SKIPPED

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.skipif(not AXE.exists(), reason=f"{SKIPPED}axe-core (npm ci --ignore-scripts)"),
]

# Each width and each theme once; the other pairs are for `make test-long`.
LOOKS = pytest.mark.parametrize(
    ("size", "theme"),
    [
        (WIDE, "light"),
        (PHONE, "dark"),
        pytest.param(WIDE, "dark", marks=pytest.mark.long),
        pytest.param(PHONE, "light", marks=pytest.mark.long),
    ],
)


def check(page: Page) -> None:
    """Fail with what axe finds."""
    page.evaluate(AXE.read_text())
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run({runOnly: tags}).then(({violations}) => violations)", rules
    )
    assert not [
        (rule["id"], node["html"][:160], node["failureSummary"])
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.fixture(scope="module")
def worked(site: Site) -> dict[str, int]:
    """Jobs in every state, by its name."""
    made = site.world.now_running()
    made["failed"] = site.world.fail("weather", clock.now() - 5_000_000)
    made["completed"] = site.world.run(
        "weather", clock.now() - 5_000_000, 1.0, result={"rows": list(range(40))}
    )
    with site.store.write() as conn:
        for job in (1, made["completed"]):
            items.process(conn, items.Place(1, "mail", job), [f"{job}"], clock.now())
    return made


@LOOKS
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/no"),
        *("/jobs", "/jobs?q=nothing", "/jobs?q=status:failed+duration:>0s"),
        *("/errors", "/errors/1", "/jobs/1/processed-items"),
        *("/logs", "/logs?q=nothing&range=custom"),
        *("/pipelines", "/pipelines?q=nothing", "/pipelines/weather", "/flows/weather-coast"),
    ],
)
def test_pages(
    site: Site,
    visit: Visit,
    worked: dict[str, int],
    path: str,
    size: tuple[int, int],
    theme: str,
) -> None:
    page = visit(site, path, size=size, theme=theme)
    if path.split("?", maxsplit=1)[0] == "/jobs" and size == PHONE:
        page.locator("label.fold-label").tap()
    check(page)


@LOOKS
@pytest.mark.parametrize("state", ["running", "parent", "failed", "completed"])
def test_a_job(
    site: Site,
    visit: Visit,
    worked: dict[str, int],
    state: str,
    size: tuple[int, int],
    theme: str,
) -> None:
    page = visit(site, f"/jobs/{worked[state]}", size=size, theme=theme)
    page.evaluate("document.querySelectorAll('main details').forEach((fold) => (fold.open = true))")
    check(page)


@LOOKS
def test_dialogs(
    site: Site, visit: Visit, worked: dict[str, int], size: tuple[int, int], theme: str
) -> None:
    page = visit(site, f"/jobs/{worked['failed']}", size=size, theme=theme)
    for name in ("Retry", "Run again", "Delete"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        check(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(("size", "theme"), [(WIDE, "light"), (PHONE, "dark")])
def test_controls(
    site: Site, visit: Visit, worked: dict[str, int], size: tuple[int, int], theme: str
) -> None:
    page = visit(site, "/queues", size=size, theme=theme)
    check(page)
    page.get_by_label("Select queue mail").check()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page)
    page.goto(f"{site.address}/schedules")
    check(page)
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Cron expression").fill("0 5 * * *")
    expect(page.locator("#preview")).to_contain_text("At 05:00")
    page.get_by_text("More settings").click()
    check(page)
    page.goto(f"{site.address}/workers")
    check(page)
    page.goto(f"{site.address}/job-manager")
    page.get_by_role("button", name=f"Kill job {worked['running']}").click()
    expect(page.locator(":popover-open").get_by_label("Reason")).to_be_focused()
    check(page)


@LOOKS
def test_sign_in(site: Site, visit: Visit, size: tuple[int, int], theme: str) -> None:
    check(visit(site, "/sign-in?token=wrong", size=size, theme=theme, signed_in=False))


@LOOKS
def test_an_empty_store(bare: Site, visit: Visit, size: tuple[int, int], theme: str) -> None:
    check(visit(bare, "/", size=size, theme=theme))


CUT = """() => [...document.querySelectorAll(".rows :is(thead th, tbody tr:first-child td)")]
    .filter((cell) => cell.offsetWidth && cell.innerText.trim().length > 2)
    .filter((cell) => cell.offsetWidth < 40
        || (cell.matches("th") && cell.scrollWidth > cell.clientWidth + 1))
    .map((cell) => `${cell.className} ${cell.innerText}: ${cell.offsetWidth}`)"""


def test_small_laptops_show_every_column(site: Site, visit: Visit, worked: dict[str, int]) -> None:
    """No head is cut off, and no column is squeezed to nothing by the others."""
    page = visit(site, "/", size=(1024, 768))
    tables = ("/jobs", "/queues", "/schedules", "/workers", "/pipelines", "/errors")
    for path in (*tables, "/pipelines/weather", f"/flows/weather?job={worked['failed']}"):
        page.goto(f"{site.address}{path}")
        for width in (1024, 1200, 1366):
            page.set_viewport_size({"width": width, "height": 768})
            assert page.evaluate(CUT) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_moving_parts_rest_where_that_is_wished(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.emulate_media(reduced_motion="reduce")
    assert page.locator(".glyph").first.evaluate("e => getComputedStyle(e).animationName") == "none"


def test_the_way_to_the_content_is_short(site: Site, visit: Visit) -> None:
    page = visit(site, "/jobs")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
