"""Answers in fewer bytes: a list of jobs is a tenth of its size, which readers elsewhere notice.

Only whole answers are packed, never a stream: what streams say must not wait for more of it. One
that another site made the browser ask for is not packed either. Who listens on the line could
tell from its size whether a text that they put into the address occurs elsewhere in the page.
"""

import gzip

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

LEVEL = 1
"""Of gzip: higher ones take longer than they gain."""

LEAST = 1_000
"""Smaller answers fit into one packet as they are."""

KINDS = frozenset(
    {
        *("text/html", "text/css", "text/javascript", "image/svg+xml"),
        *("application/json", "application/problem+json"),
    }
)


def compress(app: ASGIApp) -> ASGIApp:
    """The same application with its answers packed for those who can unpack them."""

    async def packing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not _may(Headers.from_scope(scope)):
            await app(scope, receive, send)
            return
        head: Message | None = None

        async def pack(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start" and _packs(message):
                head = message  # its length is known with the body
                return
            if head is not None:
                begin, head = head, None
                if message["type"] == "http.response.body":
                    message = _packed(begin, message)
                await send(begin)
            await send(message)

        await app(scope, receive, pack)

    return packing


def _may(headers: Headers) -> bool:
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return False
    accepted = headers.get("accept-encoding", "").replace(" ", "").lower().split(",")
    return any(each == "gzip" or each.startswith("gzip;q=0.") for each in accepted)


def _packs(message: Message) -> bool:
    headers = MutableScopeHeaders.from_message(message)
    kind = headers.get("content-type", "").partition(";")[0]
    return kind in KINDS and "content-encoding" not in headers


def _packed(head: Message, message: Message) -> Message:
    body = message["body"] if message["type"] == "http.response.body" else b""
    headers = MutableScopeHeaders.from_message(head)
    headers.extend_header_value("vary", "Accept-Encoding")
    if len(body) < LEAST or message.get("more_body"):
        return message
    small = gzip.compress(body, LEVEL, mtime=0)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(small))
    return {"type": "http.response.body", "body": small, "more_body": False}
