"""What every test may need from the machine, and what to say where it is missing."""

from __future__ import annotations

import math
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from jobdeck.store import listing
from tests import evidence
from tests.stores import cluster, database, sqlite_template, store, store_url

__all__ = ["cluster", "database", "sqlite_template", "store", "store_url"]

SKIPPED = "needs "

# How long an example takes says more of the machine than of the code. The same examples each
# time: what a change breaks fails in every run, and what it does not break in none; `make
# test-long` draws new ones.
hypothesis.settings.register_profile(
    "jobdeck",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jobdeck")

# How far a search comes says more of the machine, too.
listing.READING_S = math.inf

# Tests end processes by signals. One that was ignored where the tests were started (nohup, a
# shell's background) would be ignored by all that they start.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


@dataclass(frozen=True)
class Need:
    """A program that some tests need: how to find it, and how to get it."""

    find: Callable[[], str | None]
    how: str


@cache
def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome; of one without a window if there is one.

    That takes a third of the time to open a page.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    for name in (*names, "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    for app in ("Chromium", "Google Chrome"):
        path = f"/Applications/{app}.app/Contents/MacOS/{app}"
        if Path(path).exists():
            return path
    return None


NEEDS = {
    "chromium": Need(
        find_chromium,
        "Debian: apt-get install chromium-headless-shell; macOS: brew install --cask chromium",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose programs are missing; keep together what shares a server or store."""
    for item in items:
        if isinstance(item, pytest.Function) and _shares(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                if NEEDS[name].find() is None:
                    item.add_marker(pytest.mark.skip(f"{SKIPPED}{name} ({NEEDS[name].how})"))


def _shares(test: pytest.Function) -> bool:
    """Whether it uses what is made once a file: in one process then, or each would make it."""
    fixtures = test._fixtureinfo.name2fixturedefs.values()
    return any(fixture.scope == "module" for same in fixtures for fixture in same)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what helps to understand it where nobody can look again."""
    report = yield
    if report.failed and report.when != "teardown":
        report.sections += evidence.gather()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested here, and how to change that."""
    missing: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if reason.startswith(f"Skipped: {SKIPPED}"):
            missing[reason.removeprefix("Skipped: ")] += 1
    if missing:
        terminalreporter.section("NOT TESTED ON THIS MACHINE", sep="=", yellow=True, bold=True)
        for reason, skipped in missing.items():
            terminalreporter.line(f"{skipped} skipped: {reason}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the browser; for tests marked `needs("chromium")`."""
    path = find_chromium()
    if path is None:
        pytest.skip(f"{SKIPPED}chromium ({NEEDS['chromium'].how})")
    return path
