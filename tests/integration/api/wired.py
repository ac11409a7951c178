"""Applications that one test uses after another: wiring one takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from litestar import Litestar

from jobdeck.app import create_app
from jobdeck.client.settings import Settings
from jobdeck.http.state import Deck
from jobdeck.store.database import Store

_free: dict[str, list[tuple[Deck, Litestar]]] = {}


@contextmanager
def wired(store: Store, settings: Settings) -> Iterator[tuple[Deck, Litestar]]:
    """An application over that store alone, and its deck."""
    fresh = Deck(store, settings)
    free = _free.setdefault(fresh.base_path, [])
    deck, application = free.pop() if free else (fresh, create_app(fresh))
    vars(deck).update(vars(fresh))
    yield deck, application
    free.append((deck, application))
