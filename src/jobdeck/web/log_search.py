"""The page that searches the lines of all jobs."""

from typing import Any

from litestar import Response, get
from litestar.enums import MediaType
from litestar.response import Stream
from msgspec import Struct, structs
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import LogFilter, Page
from jobdeck.domain.names import check_text
from jobdeck.domain.numbers import read_if_any
from jobdeck.domain.records import FoundLine
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck
from jobdeck.store import flows, log_search, logs, pipelines
from jobdeck.web import live
from jobdeck.web import logs as job_log
from jobdeck.web.drawings import TICK_S, Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

NEW_LINES = 500
"""At most so many new ones are shown at once."""

LINES = 100
"""Lines of one page; more are loaded when the reader comes to their end."""

MESSAGE_CHARS = 1_000
"""So much of a line is shown; its job has all of it."""

RANGES = (
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
)
_NAMES = ("q", "level", "pipeline", "flow", "job", "range", "after", "before", "cursor")


class LogsQuery(Struct, frozen=True, kw_only=True):
    """Which lines are searched for, as the address says it. The dates are UTC, as written."""

    q: str = ""
    level: str = ""
    pipeline: str = ""
    flow: str = ""
    job: str = ""
    range: str = ""
    after: str = ""
    before: str = ""
    cursor: str = ""

    def pairs(self) -> dict[str, Any]:
        """As the query of an address."""
        return {name: value for name, value in structs.asdict(self).items() if value}

    def further(self, cursor: str) -> dict[str, Any]:
        """The lines that follow."""
        return structs.replace(self, cursor=cursor).pairs()

    @property
    def grows(self) -> bool:
        """Whether lines that are logged from now on belong to it."""
        return not self.cursor and not self.before

    @property
    def narrowed(self) -> int:
        """How many conditions are set beside the text."""
        parts = (self.level, self.pipeline, self.flow, self.job, self.range)
        return sum(bool(part) for part in parts)

    def condition(self, now: Micros) -> LogFilter:
        """Which lines are meant.

        Raises:
            InvalidValue: names the condition that cannot be understood.
        """
        after, before = self._between(now)
        return LogFilter(
            q=self.q,
            level=self.level,
            pipeline=self.pipeline,
            flow=self.flow,
            job=read_if_any(self.job, "job"),
            after=after,
            before=before,
        )

    def _between(self, now: Micros) -> tuple[Micros | None, Micros | None]:
        if self.range == "custom":
            after = clock.from_iso(self.after, "after") if self.after else None
            before = clock.from_iso(self.before, "before") if self.before else None
            return after, before
        seconds = clock.parse_duration(self.range, "range") if self.range else None
        return (now - round(seconds * SECOND), None) if seconds else (None, None)


def read(request: AnyRequest) -> LogsQuery:
    """The query of a request.

    Raises:
        InvalidValue: names the condition that cannot be understood.
    """
    given = {name: str(request.query_params.get(name, "")).strip() for name in _NAMES}
    for name, text in given.items():
        check_text(text, name)
    if given["level"] and given["level"] not in logs.LEVELS:
        raise InvalidValue("level", f"{given['level']!r} is none of {', '.join(logs.LEVELS)}")
    if not given["range"] and (given["after"] or given["before"]):
        given["range"] = "custom"
    if given["range"] not in ("", "custom", *(value for value, _ in RANGES)):
        known = ", ".join(value for value, _ in RANGES)
        raise InvalidValue("range", f"{given['range']!r} is none of {known} and custom")
    if given["range"] != "custom":
        given |= {"after": "", "before": ""}
    return LogsQuery(**given)


@get("/logs", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages) -> Response[str]:
    """The lines that the address describes, the newest first."""
    query = read(request)
    now = clock.now()
    with pages.deck.store.read() as conn:
        found = log_search.find(
            conn, query.condition(now), limit=LINES, cursor=query.cursor or None
        )
        frame = Frame({}, position=log_search.newest(conn))
        choices = {
            "pipelines": pipelines.names(conn),
            "flows": flows.names(conn, query.pipeline),
        }
    return pages.page(
        request,
        "logs/page.html",
        noun="logs",
        now=now,
        query=query,
        ranges=RANGES,
        choices=choices,
        found_lines=_html(pages, query, found, now),
        seen=str(live.seen(frame)),
    )


@get("/logs/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages) -> Stream:
    """The lines that are logged from now on."""
    query = structs.replace(read(request), cursor="")

    def draw(conn: Connection, now: Micros, position: int) -> Frame:
        last = log_search.newest(conn)
        if last <= position:
            return Frame({}, position=position, ticks_s=TICK_S)
        found = log_search.find(conn, query.condition(now), limit=NEW_LINES, beyond=position)
        tail = _html(pages, query, found, now, ends=False) if found.items else ""
        return Frame({}, tail, last, ticks_s=TICK_S, newest_first=True)

    view = View(draw, topics=(), key=("logs", query))
    return live.stream(pages, request, view)


@get("/logs/more", opt=VIEWER, sync_to_thread=True)
def more(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The lines that follow, as a part of the page."""
    query = read(request)
    now = clock.now()
    with deck.store.read() as conn:
        found = log_search.find(
            conn, query.condition(now), limit=LINES, cursor=query.cursor or None
        )
    return Response(_html(pages, query, found, now), media_type=MediaType.HTML)


def _html(
    pages: Pages, query: LogsQuery, found: Page[FoundLine], now: Micros, *, ends: bool = True
) -> str:
    return pages.html(
        "logs/lines.html",
        found=found,
        query=query,
        ends=ends,
        now=now,
        chars=MESSAGE_CHARS,
        fields=job_log.fields,
        marked=lambda text: job_log.marked(text, query.q),
    )
