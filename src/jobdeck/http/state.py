"""A Deck: everything of one mounted store at the HTTP edge."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import to_thread
from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from jobdeck.actions.creation import Recipes
from jobdeck.client.settings import Settings, check_base_path
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import Asker
from jobdeck.http.live import Hub
from jobdeck.http.throttle import Throttle
from jobdeck.http.waiting import Waiting
from jobdeck.http.writable import Writable
from jobdeck.store.database import Store

T = TypeVar("T")


class Deck:
    """One store, mounted under `base_path`, with what belongs to it alone.

    Every address is relative to the base path; `address` completes one.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings | None = None,
        *,
        base_path: str | None = None,
        name: str = "",
    ) -> None:
        self.store = store
        self.settings = settings or Settings()
        self.base_path = check_base_path(
            self.settings.base_path if base_path is None else base_path
        )
        self.name = name
        self.hub = Hub(store)
        self.waiting = Waiting(store, self.hub.closing)
        self.writable = Writable(store)
        self.recipes = Recipes()
        self.sign_ins = Throttle(limit=10, window_s=60)
        self.start_token = secrets.token_urlsafe(24)
        """Signs in as administrator; another one for each start."""
        mark = hashlib.sha256(f"{store.address} {self.base_path}".encode()).hexdigest()[:10]
        # Browsers share cookies between ports: two servers on one machine must not clash.
        self.cookie = f"jobdeck_{mark}"

    def address(self, path: str) -> str:
        """The path of `path` (which begins with a slash) as a browser asks for it."""
        return self.base_path + path

    @property
    def sign_in_path(self) -> str:
        """The path of the link that signs in as administrator."""
        return self.address(f"/sign-in?token={self.start_token}")

    async def run(self, function: Callable[[], T]) -> T:
        """Do something that waits for the store in a thread."""
        return await to_thread.run_sync(function)

    async def close(self) -> None:
        """End the streams, and the calls that wait for something to happen."""
        await self.hub.close()


AtDeck = NamedDependency[SkipValidation[Deck]]
"""Annotates the handler's parameter `deck`."""

By = NamedDependency[SkipValidation[Actor]]
"""Annotates the handler's parameter `actor`: who asks."""

Asking = NamedDependency[SkipValidation[Asker]]
"""Annotates the handler's parameter `asker`: who asks, with the session."""


def _actor(request: Request[Any, Any, Any]) -> Actor:
    actor: Actor = request.scope["user"]
    return actor


def _asker(request: Request[Any, Any, Any]) -> Asker:
    asker: Asker = request.scope["auth"]
    return asker


def dependencies(deck: Deck) -> dict[str, Provide]:
    """What every router of a deck provides to its handlers."""
    return {
        "deck": Provide(lambda: deck, sync_to_thread=False),
        "actor": Provide(_actor, sync_to_thread=False),
        "asker": Provide(_asker, sync_to_thread=False),
    }
