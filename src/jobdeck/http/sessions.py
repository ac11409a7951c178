"""Signing in and out: a token becomes a session, kept in a cookie."""

import asyncio
import secrets
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from jobdeck.domain import clock
from jobdeck.domain.errors import Unauthenticated
from jobdeck.domain.roles import Actor
from jobdeck.http import auth
from jobdeck.http.auth import Asker
from jobdeck.http.state import Deck
from jobdeck.store import sessions


async def sign_in(deck: Deck, request: Request[Any, Any, Any], token: str) -> Asker:
    """Open a session for the one whose token it is.

    Raises:
        Unauthenticated: the token is not valid.
        TooMany: too many invalid ones came from that address.
    """
    client = request.client.host if request.client else ""
    deck.sign_ins.check(client)
    actor = auth.bearer(deck, token.strip())
    if actor is None:
        deck.sign_ins.failed(client)
        raise Unauthenticated(
            "The token is not valid. Use the link that the server printed when it started: each "
            "start makes a new one."
        )
    session = secrets.token_urlsafe(32)
    await asyncio.to_thread(_open, deck, session, Actor("admin", actor.role, "user"))
    return Asker(actor, session)


def _open(deck: Deck, session: str, actor: Actor) -> None:
    ttl = deck.settings.session_hours * 3600
    with deck.store.write() as conn:
        sessions.open(conn, auth.digest(session), actor, clock.now(), ttl)


async def sign_out(deck: Deck, asker: Asker) -> None:
    """End the session; a bearer has none."""
    if asker.session:
        await asyncio.to_thread(_close, deck, asker.session)


def _close(deck: Deck, session: str) -> None:
    with deck.store.write() as conn:
        sessions.close(conn, auth.digest(session))


def cookie(deck: Deck, request: Request[Any, Any, Any], session: str) -> Cookie:
    """The cookie that carries the session; an empty one removes it."""
    return Cookie(
        key=deck.cookie,
        value=session,
        path=deck.base_path or "/",
        max_age=round(deck.settings.session_hours * 3600) if session else 0,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def safe_next(deck: Deck, target: str) -> str:
    """`target` if it is a path of this deck, else the overview: no redirect leads elsewhere."""
    parts = urlsplit(target)
    inside = target.startswith(f"{deck.base_path}/") and not target.startswith("//")
    if not inside or parts.scheme or parts.netloc or "\\" in target or not target.isprintable():
        return deck.address("/")
    return target
