"""Calls about who is signed in: for scripts that use cookies, and to ask who one is."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.params import JSONBody
from msgspec import Struct

from jobdeck.client import requests
from jobdeck.http import sessions
from jobdeck.http.auth import PUBLIC, VIEWER, Asker
from jobdeck.http.state import Asking, AtDeck


class Session(Struct, frozen=True):
    """Who is signed in. `csrf` is what unsafe requests of a browser's session send as
    `x-csrf-token`; empty for a bearer token, which needs none."""

    name: str
    role: str
    kind: str
    csrf: str


def _shape(asker: Asker) -> Session:
    actor = asker.actor
    return Session(actor.name, actor.role.name.lower(), actor.kind, asker.csrf)


class SessionApi(Controller):
    """`/session`."""

    path = "/session"
    tags = ("access",)

    @get(opt=VIEWER, sync_to_thread=False)
    def show(self, asker: Asking) -> Session:
        """Who asks, and in which role."""
        return _shape(asker)

    @post(opt=PUBLIC, status_code=200)
    async def sign_in(
        self,
        request: Request[Any, Any, Any],
        deck: AtDeck,
        data: JSONBody[requests.SignIn],
    ) -> Response[Session]:
        """Open a session for a token; it is kept in a cookie."""
        asker = await sessions.sign_in(deck, request, data.token)
        cookie = sessions.cookie(deck, request, asker.session)
        return Response(_shape(asker), cookies=[cookie])

    @delete(opt=VIEWER)
    async def sign_out(
        self, request: Request[Any, Any, Any], deck: AtDeck, asker: Asking
    ) -> Response[None]:
        """End the session."""
        await sessions.sign_out(deck, asker)
        return Response(None, status_code=204, cookies=[sessions.cookie(deck, request, "")])
