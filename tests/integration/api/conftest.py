"""An application over a store, asked as a program and as a browser would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from jobdeck.client.settings import Settings
from jobdeck.http.state import Deck
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
from tests.integration.api.wired import wired
from tests.integration.hands import define


@pytest.fixture
def here(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite with the pipeline `weather`."""
    path = tmp_path / "jobdeck.db"
    shutil.copyfile(sqlite_template, path)
    store = Store(f"sqlite:///{path}", files=tmp_path / "files")
    define(store)
    yield store
    store.close()


@pytest.fixture
def mounted(here: Store) -> Iterator[tuple[Deck, Litestar]]:
    """The store, mounted at the root, and the application over it."""
    with wired(here, Settings(token="secret-token")) as both:
        yield both


@pytest.fixture
def deck(mounted: tuple[Deck, Litestar]) -> Deck:
    """The store, mounted at the root."""
    return mounted[0]


@pytest.fixture
def api(mounted: tuple[Deck, Litestar]) -> Iterator[Caller]:
    """The API, asked as administrator."""
    deck, application = mounted
    with TestClient(application) as client:
        yield Caller(client, deck, token="secret-token")
