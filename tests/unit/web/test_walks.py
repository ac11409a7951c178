"""Whatever the pages let somebody change is tried in a browser."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from litestar.handlers import HTTPRouteHandler

from jobdeck import web

BROWSER_TESTS = Path(__file__).parents[2] / "browser"


def offered() -> set[str]:
    """The addresses that take a change, as `/jobs/{job_id}/stop`."""
    found: set[str] = set()
    for module in pkgutil.iter_modules(web.__path__, f"{web.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, HTTPRouteHandler) and value.http_methods - {"GET"}:
                found.update(re.sub(r":\w+\}", "}", path) for path in value.paths)
    return found


def walked() -> set[str]:
    """Those that the tests in a browser say to make; each test fails that does not."""
    texts = [path.read_text() for path in BROWSER_TESTS.glob("test_*.py")]
    marks = [mark for text in texts for mark in re.findall(r"mark\.walks\(([^)]*)\)", text)]
    return {path for mark in marks for path in re.findall(r'"([^"]+)"', mark)}


def test_every_change_is_walked() -> None:
    assert offered() - walked() == set(), "no test in tests/browser makes these changes"
    assert walked() - offered() == set(), "the pages no longer offer these"
