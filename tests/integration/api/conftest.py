"""An application over a store, asked as a program and as a browser would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from jobdeck.client.settings import Settings
from jobdeck.http.state import Deck
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller
from tests.integration.api.wired import wired


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
