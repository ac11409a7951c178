"""Live parts of pages: drawn again when something changed, and sent only if they look different.

A page is made of named regions, drawn by the same templates whether it is sent whole or in parts.
Its stream remembers a digest of each region that the browser has, also over a lost connection:
the digests travel as the id of each event and come back as `Last-Event-ID`.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from typing import Any, NamedTuple

import structlog
from litestar import Response
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound, StoreError
from jobdeck.http.live import Topic
from jobdeck.http.state import Deck
from jobdeck.web import watching
from jobdeck.web.drawings import INTERVAL_S, TICK_S, Frame, Newest
from jobdeck.web.render import AnyRequest, Pages

_BEAT = b"event: beat\ndata: \n\n"
BEAT_S = 15.0
"""So often the stream shows that it lives; the page takes three missed ones for a lost line."""

_log = structlog.get_logger("jobdeck.web")
_BREAK = re.compile(r"\r\n|\r|\n")
# Texts that the page itself keeps up to date, such as "for 12 s".
_TICKING = re.compile(r"(<time\b[^>]*\bdata-since\b[^>]*>)[^<]*")


class Seen(NamedTuple):
    """What a browser shows: a digest for each region, and the end of its growing list."""

    digests: dict[str, str]
    position: int = 0

    def __str__(self) -> str:
        parts = [f"{name}.{digest}" for name, digest in sorted(self.digests.items())]
        return "~".join([str(self.position), *parts])


def read_seen(text: str) -> Seen:
    """What `str(seen)` had written; of nonsense, nothing."""
    head, *parts = text.split("~")
    digests = dict(part.split(".", 1) for part in parts if part.count(".") == 1)
    return Seen(digests, int(head) if head.isdecimal() and len(head) < 19 else 0)


def digest(html: str) -> str:
    """Tells two looks of a region apart."""
    return hashlib.sha256(_TICKING.sub(r"\1", html).encode()).hexdigest()[:8]


def seen(frame: Frame) -> Seen:
    """What a browser shows that has just been sent `frame`."""
    return Seen({name: digest(html) for name, html in frame.regions.items()}, frame.position)


class View(NamedTuple):
    """What a page shows: `draw(conn, now, position)` gives its regions, and what its growing list
    has beyond that position. It is drawn again whenever one of `topics` changes; browsers with
    the same `key` may share what is drawn."""

    draw: Callable[[Connection, Micros, int], Frame]
    topics: Collection[Topic]
    key: Hashable


def page(
    pages: Pages,
    request: AnyRequest,
    view: View,
    template: str,
    read: Callable[[Connection], dict[str, Any]] | None = None,
    **values: Any,
) -> Response[str]:
    """The whole page as it is now. `read` gives what its template takes from the store beside
    the regions."""
    now = clock.now()
    with pages.deck.store.read() as conn:
        frame = view.draw(conn, now, 0)
        if read is not None:
            values |= read(conn)
    values |= {"now": now, "regions": frame.regions, "seen": str(seen(frame))}
    return pages.page(request, template, **values)


def stream(pages: Pages, request: AnyRequest, view: View) -> Stream:
    """The response that keeps a page up to date until the browser or the server ends it."""
    deck = pages.deck
    known = str(request.headers.get("last-event-id") or request.query_params.get("seen", ""))
    watched = watching.read(deck, request)
    if watched:
        view = view._replace(topics=(*view.topics, "jobs"))
    return Stream(
        _events(pages, view, read_seen(known), watched),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    pages: Pages, view: View, known: Seen, watched: list[int]
) -> AsyncIterator[bytes]:
    try:
        async for text in _changes(pages, view, known, watched):
            yield text
    except NotFound:
        yield b"event: gone\ndata: \n\n"
    except StoreError as error:
        # The browser comes back until the store does.
        _log.warning("a live page cannot be drawn", error=str(error))


async def _changes(
    pages: Pages, view: View, known: Seen, watched: list[int]
) -> AsyncIterator[bytes]:
    deck = pages.deck
    yield _BEAT
    beat = drawn_at = time.monotonic()
    start = await deck.hub.position()
    drawn = await _draw(pages, view, (start.last, 0), known.position)
    yield drawn.event(known) + await _ended(deck, watched)
    async for batch in deck.hub.subscribe(view.topics, after=start.mark, idle_s=TICK_S):
        began = time.monotonic()
        ticks_s = drawn.frame.ticks_s
        is_due = ticks_s is not None and began - drawn_at > ticks_s - INTERVAL_S
        if batch.changes or batch.reload or is_due:
            known, drawn_at = drawn.seen, began
            drawn = await _draw(pages, view, (batch.last, batch.late), known.position)
            yield drawn.event(known)
        if watched and (batch.reload or any(each.topic == "jobs" for each in batch.changes)):
            yield await _ended(deck, watched)
        if began - beat > BEAT_S:
            beat = began
            yield _BEAT
        # A costly drawing takes at most a quarter of the time.
        taken = time.monotonic() - began
        await asyncio.sleep(max(INTERVAL_S - taken, 3 * drawn.cost_s))


async def _ended(deck: Deck, watched: list[int]) -> bytes:
    """Events for the watched jobs that have ended, which are watched no longer."""
    if not watched:
        return b""
    done, events = await deck.run(lambda: watching.ended(deck, watched))
    for job_id in done:
        watched.remove(job_id)
    return events


class Drawn:
    """A frame with what it takes to send it: worked out once for all who share it. `cost_s` are
    the seconds of CPU that it took."""

    def __init__(self, draw: Callable[[], Frame]) -> None:
        began = time.thread_time()
        self.frame = draw()
        self.seen = seen(self.frame)
        self.cost_s = time.thread_time() - began
        self._events: dict[Hashable, bytes] = {}

    def event(self, known: Seen) -> bytes:
        """The event that brings a browser from `known` to this; empty if it is there already."""
        key = tuple(sorted(known.digests.items()))
        found = self._events.get(key)
        if found is None:
            found = self._events[key] = _event(self.frame, known, self.seen)
        return found


async def _draw(pages: Pages, view: View, change: Newest, position: int) -> Drawn:
    def draw() -> Frame:
        with pages.deck.store.read() as conn:
            return view.draw(conn, clock.now(), position)

    return await pages.drawings.get(
        (view.key, position), change, lambda: pages.deck.run(lambda: Drawn(draw))
    )


def _event(frame: Frame, known: Seen, now: Seen) -> bytes:
    parts = [
        f'<hx-partial hx-target="#region-{name}" hx-swap="innerMorph">{html}</hx-partial>'
        for name, html in frame.regions.items()
        if known.digests.get(name) != now.digests[name]
    ]
    if frame.tail:
        at = "afterbegin" if frame.newest_first else "beforeend"
        parts.append(f'<hx-partial hx-target="#tail" hx-swap="{at}">{frame.tail}</hx-partial>')
    if not parts:
        return b""
    lines = "".join(f"data: {line}\n" for line in _BREAK.split("\n".join(parts)))
    return f"id: {now}\n{lines}\n".encode()
