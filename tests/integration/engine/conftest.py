"""A deck on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.store.database import Store
from tests.integration.engine.harness import Deck


@pytest.fixture
def deck(store: Store, tmp_path: Path) -> Iterator[Deck]:
    """An empty store; whatever was started on it is ended afterwards."""
    deck = Deck(store, tmp_path)
    yield deck
    deck.close()
