"""Signing in, with the printed link or its token, and out."""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie

from jobdeck.domain import clock
from jobdeck.domain.errors import JobdeckError
from jobdeck.http import problems, sessions
from jobdeck.http.auth import PUBLIC, VIEWER
from jobdeck.http.state import Asking, AtDeck, Deck
from jobdeck.web import deeds
from jobdeck.web.render import AnyRequest, AtPages, Pages


@get("/sign-in", opt=PUBLIC)
async def page(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[Any]:
    """Sign in by the token in the address, or ask for it."""
    target = str(request.query_params.get("next", ""))
    token = str(request.query_params.get("token", ""))
    if token:
        return await _open(request, deck, pages, token, target)
    return _ask(request, pages, target)


@post("/sign-in", opt=PUBLIC, status_code=200)
async def enter(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[Any]:
    """Sign in by the token in the form."""
    given = await deeds.answers(request)
    return await _open(request, deck, pages, given.get("token", ""), given.get("next", ""))


@post("/sign-out", opt=VIEWER, status_code=200)
async def leave(request: AnyRequest, deck: AtDeck, asker: Asking) -> Response[Any]:
    """End the session."""
    await sessions.sign_out(deck, asker)
    return _go(deck.address("/sign-in"), sessions.cookie(deck, request, ""))


async def _open(
    request: AnyRequest, deck: Deck, pages: Pages, token: str, target: str
) -> Response[Any]:
    try:
        asker = await sessions.sign_in(deck, request, token)
    except JobdeckError as error:
        return _ask(request, pages, target, error)
    return _go(sessions.safe_next(deck, target), sessions.cookie(deck, request, asker.session))


def _ask(
    request: AnyRequest, pages: Pages, target: str, error: JobdeckError | None = None
) -> Response[str]:
    return pages.page(
        request,
        "sign_in/page.html",
        status_code=problems.describe(error).status if error else 200,
        noun="",
        now=clock.now(),
        next=target,
        ended="ended" in request.query_params,
        error=str(error) if error else "",
    )


def _go(address: str, cookie: Cookie) -> Response[Any]:
    return Response("", status_code=303, headers={"Location": address}, cookies=[cookie])
