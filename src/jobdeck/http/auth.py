"""Who asks, and what the address that they ask for takes.

Every route declares one of PUBLIC, VIEWER, OPERATOR and ADMIN as its `opt`; an application with
a route that declares none does not start.
"""

import asyncio
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Guard
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.errors import StartFailed, Unauthenticated
from jobdeck.domain.roles import Actor, Role
from jobdeck.http import csrf
from jobdeck.store import sessions

if TYPE_CHECKING:
    from jobdeck.http.state import Deck

PUBLIC: dict[str, Any] = {"role": None}
VIEWER: dict[str, Any] = {"role": Role.VIEWER}
OPERATOR: dict[str, Any] = {"role": Role.OPERATOR}
ADMIN: dict[str, Any] = {"role": Role.ADMIN}

_SIGN_IN = (
    "Send a token (Authorization: Bearer ...), or sign in with the link that the server printed."
)


class Asker(Struct, frozen=True):
    """Who asks; `session` is the session's token where a browser is signed in."""

    actor: Actor
    session: str = ""

    @property
    def csrf(self) -> str:
        """What a page puts into its forms and requests; empty for a bearer."""
        return csrf.token(self.session) if self.session else ""


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(deck: "Deck", token: str) -> Actor | None:
    """The one whose token it is. Takes the same time whatever is wrong with it."""
    found = None
    for name, known in (("token", deck.settings.token), ("admin", deck.start_token)):
        if known and hmac.compare_digest(digest(known), digest(token)):
            found = Actor(name, Role.ADMIN, "token")
    return found


async def identify(deck: "Deck", connection: ASGIConnection[Any, Any, Any, Any]) -> Asker | None:
    """Who asks: by bearer token, else by the session of the cookie; None: nobody known.

    Raises:
        Unauthenticated: a bearer token that is not valid.
        StoreError: the session cannot be looked up.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        actor = bearer(deck, token.strip())
        if actor is None:
            raise Unauthenticated(f"The bearer token is not valid. {_SIGN_IN}")
        return Asker(actor)
    session = connection.cookies.get(deck.cookie, "")
    if not session:
        return None
    actor = await asyncio.to_thread(_find_session, deck, session)
    return Asker(actor, session) if actor else None


def _find_session(deck: "Deck", session: str) -> Actor | None:
    with deck.store.read() as conn:
        return sessions.find(conn, digest(session), clock.now())


def guard(deck: "Deck") -> Guard:
    """What lets through only who may; afterwards `request.auth` is the Asker."""

    async def check(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        if _is_options(handler):
            return
        role: Role | None = handler.opt["role"]
        if role is None:
            return
        asker = await identify(deck, connection)
        if asker is None:
            raise Unauthenticated(f"Nobody is signed in. {_SIGN_IN}")
        connection.scope["user"] = asker.actor
        connection.scope["auth"] = asker
        method = connection.scope.get("method", "GET")
        path = connection.scope["path"]
        asker.actor.require(role, f"call {method} {path}" if "/api/" in path else "do this")
        if asker.session and method not in csrf.SAFE:
            await csrf.check(connection, asker.session)

    return check


def _is_options(handler: BaseRouteHandler) -> bool:
    """Whether Litestar made it to tell which methods an address takes; it declares no role."""
    return getattr(handler, "http_methods", None) == {"OPTIONS"}


def check_roles(app: Litestar) -> None:
    """Refuse an application with a route that does not say who may use it.

    Raises:
        StartFailed: names the routes.
    """
    missing = [
        f"{handler.http_methods} {route.path}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "role" not in handler.opt and not _is_options(handler)
    ]
    if missing:
        raise StartFailed(f"These routes declare no role: {', '.join(sorted(missing))}")
