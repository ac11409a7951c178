"""Protection of signed-in browsers against requests that another site makes them send.

The token is derived from the session's own, so it needs no store and no key. A bearer token is
never sent by a browser on its own, so requests that carry one are exempt.
"""

import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType

from jobdeck.domain.errors import Forbidden

HEADER = "x-csrf-token"
FIELD = "csrf_token"
SIZE = hashlib.sha256().digest_size
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = (RequestEncodingType.URL_ENCODED.value, RequestEncodingType.MULTI_PART.value)
_HINT = "Reload the page and try again."


def token(session: str) -> str:
    """What pages of that session put into their forms and requests: hidden under other bytes each
    time, so that it cannot be told from the sizes of packed pages."""
    cover = secrets.token_bytes(SIZE)
    return (cover + _under(cover, _own(session))).hex()


def _own(session: str) -> bytes:
    return hmac.new(session.encode(), b"jobdeck csrf", hashlib.sha256).digest()


def _under(cover: bytes, value: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(cover, value, strict=True))


def _fits(given: str, session: str) -> bool:
    try:
        both = bytes.fromhex(given)
    except ValueError:
        return False
    if len(both) != 2 * SIZE:
        return False
    return hmac.compare_digest(_under(both[:SIZE], both[SIZE:]), _own(session))


async def check(connection: ASGIConnection[Any, Any, Any, Any], session: str) -> None:
    """Refuse an unsafe request that the session's own pages did not make.

    Raises:
        Forbidden: it comes from elsewhere, or its token is missing or wrong.
    """
    _check_origin(connection)
    given = connection.headers.get(HEADER, "")
    if not given and isinstance(connection, Request) and connection.content_type[0] in _FORMS:
        form = await connection.form()
        given = str(form.get(FIELD) or "")
    if not _fits(given, session):
        raise Forbidden(f"The request lacks this session's token ({HEADER}). {_HINT}")


def _check_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    # Browsers set it themselves, so it is right behind a proxy that changes Host, too.
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden(f"The request comes from another site. {_HINT}")
        return
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != connection.headers.get("host", ""):
        raise Forbidden(f"The request comes from another site, {origin}. {_HINT}")
