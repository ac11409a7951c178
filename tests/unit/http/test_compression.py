"""Which answers are packed, and for whom."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from jobdeck.http.compression import LEAST, compress

BODY = b"<p>hello</p>" * LEAST
HTML = "text/html; charset=utf-8"


def ask(
    kind: str = HTML, parts: tuple[bytes, ...] = (BODY,), **headers: str
) -> tuple[dict[bytes, bytes], list[bytes]]:
    """The headers and the parts of the body that arrive."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = str(sum(map(len, parts))).encode()
        head = [(b"content-type", kind.encode()), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for place, part in enumerate(parts):
            more = place < len(parts) - 1
            await send({"type": "http.response.body", "body": part, "more_body": more})

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"accept-encoding": "br, gzip", **{k.replace("_", "-"): v for k, v in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    call: Any = compress(app)
    asyncio.run(call({"type": "http", "headers": raw}, None, send))
    found = {name.lower(): value for name, value in sent[0]["headers"]}
    return found, [message["body"] for message in sent[1:]]


def test_a_page_is_packed() -> None:
    headers, (body,) = ask()
    assert gzip.decompress(body) == BODY
    assert headers[b"content-encoding"] == b"gzip"
    assert headers[b"vary"] == b"Accept-Encoding"
    assert int(headers[b"content-length"]) == len(body) < len(BODY) / 10


@pytest.mark.parametrize(
    ("kind", "parts", "headers"),
    [
        ("text/event-stream", (BODY,), {}),
        ("application/octet-stream", (BODY,), {}),
        (HTML, (b"small",), {}),
        (HTML, (BODY, BODY), {}),
        (HTML, (BODY,), {"accept_encoding": "br"}),
        (HTML, (BODY,), {"accept_encoding": "gzip;q=0"}),
        (HTML, (BODY,), {"sec_fetch_site": "cross-site"}),
    ],
)
def test_all_else_is_sent_as_it_is(
    kind: str, parts: tuple[bytes, ...], headers: dict[str, str]
) -> None:
    found, bodies = ask(kind, parts, **headers)
    assert bodies == list(parts)
    assert b"content-encoding" not in found
    assert int(found[b"content-length"]) == sum(map(len, parts))
