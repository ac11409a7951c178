"""Which changes the browser tests have made by using the pages, as a user does.

A test says by `@pytest.mark.walks("/jobs/{job_id}/stop", ...)` which ones it makes, and fails if it
did not; `tests/unit/web/test_walks.py` fails where a page offers one that no test makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Response

BAD_REQUEST = 400

_done: list[str] = []


def watch(browser: Browser) -> None:
    """See what its pages change from now on."""
    browser.on("context", _watch_context)


def _watch_context(context: BrowserContext) -> None:
    context.on("response", _note)


def _note(response: Response) -> None:
    if response.request.method == "POST" and response.status < BAD_REQUEST:
        _done.append(urlsplit(response.url).path)


@pytest.fixture(autouse=True)
def walked(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test has made the changes that its mark names."""
    _done.clear()
    yield
    for mark in request.node.iter_markers("walks"):
        left = [path for path in mark.args if not any(_is(path, each) for each in _done)]
        assert not left, f"not walked, though it says so: {left}; it has walked {sorted(_done)}"


def _is(template: str, path: str) -> bool:
    """Whether that is the address, under whatever path the pages are."""
    return re.search(re.sub(r"\{\w+\}", "[^/]+", template) + "$", path) is not None
