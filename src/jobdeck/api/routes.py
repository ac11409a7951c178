"""All routes of the REST API of one deck."""

from litestar import Router

from jobdeck.api.root import root_router
from jobdeck.http import auth, problems, query
from jobdeck.http.state import Deck, dependencies

BODY_BYTES = 16 * 1024 * 1024
"""Larger bodies are refused; bulk creation takes several calls."""


def api_router(deck: Deck) -> Router:
    """The router of the API, mounted at the deck's base path."""
    v1 = Router("/api/v1", route_handlers=[])
    return Router(
        deck.base_path or "/",
        route_handlers=[v1, root_router("/")],
        guards=[auth.guard(deck), query.known_only],
        dependencies=dependencies(deck),
        exception_handlers=problems.HANDLERS,
        request_max_body_size=BODY_BYTES,
    )
