"""The stream of what changes, as server-sent events."""

import time
from collections.abc import AsyncIterator, Collection
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from jobdeck.client import shapes
from jobdeck.domain import numbers
from jobdeck.domain.errors import InvalidValue
from jobdeck.http.auth import VIEWER
from jobdeck.http.live import Batch, Topic
from jobdeck.http.state import AtDeck, Deck

TOPICS = ("job", "jobs", "queue", "schedule", "pool", "pipeline", "flow", "error")
ALIVE_S = 15.0
RETRY_MS = 2000
LIFE_S = 900.0
"""A stream ends after so long, so that one who may no longer see it does not; browsers and
scripts come back by themselves and miss nothing."""

_Topics = Annotated[
    list[str] | None,
    QueryParameter(
        description=f"Only these, repeated or separated by commas: {', '.join(TOPICS)}",
    ),
]
_Ref = Annotated[
    str,
    QueryParameter(description="Only this number or name of the one topic", max_length=200),
]
_Since = Annotated[
    int | None,
    QueryParameter(
        description="Go on after this event; as the header Last-Event-ID does",
        ge=0,
        le=2**53,
    ),
]


@get("/events", opt=VIEWER, tags=["events"], media_type="text/event-stream")
async def stream(
    request: Request[Any, Any, Any],
    deck: AtDeck,
    topic: _Topics = None,
    ref: _Ref = "",
    after: _Since = None,
) -> Stream:
    """What changes, as it happens: an event for each change, named after its topic, with the
    change as JSON. An event `reload` says that some were missed. Every 15 s a comment shows
    that the stream lives."""
    topics = _read_topics(topic or (), ref)
    last = request.headers.get("last-event-id", "")
    if (number := numbers.read(last)) is not None:
        after = number
    start = (await deck.hub.position()).mark if after is None else after
    return Stream(
        _events(deck, topics, start),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _read_topics(texts: Collection[str], ref: str) -> list[Topic]:
    names = [name.strip() for name in ",".join(texts).split(",") if name.strip()]
    for name in names:
        if name not in TOPICS:
            raise InvalidValue("topic", f"{name!r} is none of {', '.join(TOPICS)}")
    if not ref:
        return list(names)
    if len(names) != 1:
        raise InvalidValue("ref", "needs exactly one topic")
    return [(names[0], ref)]


async def _events(deck: Deck, topics: Collection[Topic], start: int) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\nid: {start}\nevent: hello\ndata: {{}}\n\n".encode()
    end = time.monotonic() + LIFE_S
    async for batch in deck.hub.subscribe(topics, after=start, idle_s=ALIVE_S):
        yield _encode(batch) or b"id: %d\n: alive\n\n" % batch.mark
        if time.monotonic() > end:
            return


def _encode(batch: Batch) -> bytes:
    """The events of a batch; only the last has an id, so that going on misses none of it."""
    parts = [
        (change.topic.encode(), msgspec.json.encode(shapes.Change.of(change)))
        for change in batch.changes
    ]
    if batch.reload:
        parts.append((b"reload", b"{}"))
    lines = [b"event: %b\ndata: %b\n" % part for part in parts]
    if lines:
        lines[-1] += b"id: %d\n" % batch.mark
    return b"".join(line + b"\n" for line in lines)
