"""An application over a store, asked as a program and as a browser would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
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


@pytest.fixture(scope="session")
def mounted(sqlite_template: Path) -> tuple[Deck, Litestar]:
    """An application over a deck that each test fills with its own: wiring one takes long."""
    deck = Deck(Store(f"sqlite:///{sqlite_template}"))
    return deck, create_app(deck)


@pytest.fixture
def deck(here: Store, mounted: tuple[Deck, Litestar]) -> Deck:
    """The store, mounted at the root."""
    deck, _ = mounted
    vars(deck).update(vars(Deck(here, Settings(token="secret-token"))))
    return deck


@pytest.fixture
def api(deck: Deck, mounted: tuple[Deck, Litestar]) -> Iterator[Caller]:
    """The API, asked as administrator."""
    _, application = mounted
    with TestClient(application) as client:
        yield Caller(client, deck, token="secret-token")
