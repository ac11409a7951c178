"""An application over a store, asked as a program and as a browser would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from jobdeck.app import create_app
from jobdeck.client.settings import Settings
from jobdeck.http.state import Deck
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
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
def deck(here: Store) -> Deck:
    """The store, mounted at the root."""
    return Deck(here, Settings(token="secret-token"))


@pytest.fixture
def api(deck: Deck) -> Iterator[Caller]:
    """The API, asked as administrator."""
    with TestClient(create_app(deck)) as client:
        yield Caller(client, deck, token="secret-token")
