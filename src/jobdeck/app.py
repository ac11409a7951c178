"""The one place where the web application is wired together: API, pages, streams, headers."""

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar

from jobdeck.api.root import health_router
from jobdeck.api.routes import api_router
from jobdeck.client.settings import Settings
from jobdeck.domain.errors import StartFailed
from jobdeck.http import headers, listening, problems
from jobdeck.http.auth import check_roles
from jobdeck.http.compression import compress
from jobdeck.http.server import Server
from jobdeck.http.state import Deck
from jobdeck.web.routes import web_router


def create_app(decks: Sequence[Deck] | Deck) -> Litestar:
    """The application that serves these decks, each under its base path.

    Raises:
        StartFailed: two decks have the same base path, or a route declares no role.
    """
    decks = [decks] if isinstance(decks, Deck) else list(decks)
    paths = [deck.base_path for deck in decks]
    if len(set(paths)) < len(paths):
        raise StartFailed(f"Two stores are mounted under the same path: {', '.join(paths)}")

    @asynccontextmanager
    async def streams(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for deck in decks:
                await deck.close()

    app = Litestar(
        route_handlers=[
            *(make(deck) for deck in decks for make in (api_router, web_router)),
            *([] if "" in paths else [health_router(decks)]),
        ],
        lifespan=[streams],
        before_send=[headers.secure],
        middleware=[compress],
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    check_roles(app)
    return app


def serve(decks: Sequence[Deck], settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        StartFailed: it cannot listen there.
    """
    listener = listening.listen(settings)
    server = Server(create_app(decks), decks)
    # What is loaded by now stays; looking through it for garbage again and again takes longer
    # than a page.
    gc.collect()
    gc.freeze()
    server.run(sockets=[listener])
