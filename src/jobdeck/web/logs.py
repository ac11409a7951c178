"""The log of a job: its newest lines, earlier ones, one line in its surroundings, as text."""

from collections.abc import Iterator
from typing import Any

from litestar import Response, get
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Struct, structs
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import LogLine
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, Deck
from jobdeck.store import jobs, logs
from jobdeck.web.render import AnyRequest, AtPages, Pages

FIRST = 200
FIRST_CHARS = 30_000
"""Lines on a page as it is first shown, and their characters; it stays under 150 KB."""

MORE = 500
MORE_CHARS = 200_000
AROUND = 100
TAIL = 1_000
"""Lines sent at once to a page that lags."""

TEXT = 5_000


class LogQuery(Struct, frozen=True, kw_only=True):
    """Which lines are meant: of one attempt, of a least level, with a text; `line` is one to be
    shown in its surroundings."""

    level: str = ""
    find: str = ""
    attempt: int | None = None
    line: int | None = None

    def pairs(self) -> dict[str, Any]:
        """As the query of an address."""
        return {name: value for name, value in structs.asdict(self).items() if value}

    @property
    def conditions(self) -> dict[str, Any]:
        """As the store takes them."""
        return {"level": self.level, "q": self.find, "attempt": self.attempt}


class Lines(Struct, frozen=True):
    """Some lines in order. `earlier`: there are more before them."""

    lines: list[LogLine]
    earlier: bool

    @property
    def first(self) -> int:
        """The number of the first line, 0 if there is none."""
        return self.lines[0].id if self.lines else 0

    @property
    def last(self) -> int:
        """The number of the last line, 0 if there is none."""
        return self.lines[-1].id if self.lines else 0


def read(request: AnyRequest) -> LogQuery:
    """The query of a request.

    Raises:
        InvalidValue: names the condition that cannot be understood.
    """
    given = request.query_params
    level = str(given.get("level", ""))
    if level and level not in logs.LEVELS:
        raise InvalidValue("level", f"{level!r} is none of {', '.join(logs.LEVELS)}")
    return LogQuery(
        level=level,
        find=str(given.get("find", "")).replace("\0", ""),
        attempt=number(str(given.get("attempt", "")), "attempt"),
        line=number(str(given.get("line", "")), "line"),
    )


def number(text: str, name: str) -> int | None:
    """The number that a query says, if any.

    Raises:
        InvalidValue: it is none.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidValue(name, f"{text!r} is not a number")
    return int(text)


def first(conn: Connection, job_id: int, query: LogQuery) -> Lines:
    """The newest lines, or those up to and around the one that is asked for."""
    if query.line is not None:
        following = logs.of_job(conn, job_id, after=query.line, limit=AROUND, **query.conditions)
        below = fit(following, FIRST_CHARS // 2)
        end = below[-1].id + 1 if below else query.line + 1
        return before(conn, job_id, query, end, FIRST, FIRST_CHARS)
    return before(conn, job_id, query, 0, FIRST, FIRST_CHARS)


def before(
    conn: Connection, job_id: int, query: LogQuery, end: int, limit: int, chars: int
) -> Lines:
    """The lines before number `end` (0: before the end)."""
    found = logs.of_job(
        conn, job_id, after=end, limit=limit + 1, newest_first=True, **query.conditions
    )
    shown = fit(found[:limit], chars)
    return Lines(shown[::-1], len(found) > len(shown))


def after(conn: Connection, job_id: int, query: LogQuery, start: int) -> tuple[Lines, bool]:
    """Some of the lines after number `start`, and whether there may be more."""
    found = logs.of_job(conn, job_id, after=start, limit=TAIL, **query.conditions)
    shown = fit(found, MORE_CHARS)
    return Lines(shown, earlier=False), len(shown) < len(found) or len(found) == TAIL


def fit(lines: list[LogLine], chars: int) -> list[LogLine]:
    """As many of the first lines as have so many characters together, but one at least."""
    total = 0
    for number, line in enumerate(lines):
        total += len(line.message)
        if total > chars and number:
            return lines[:number]
    return lines


def html(pages: Pages, job_id: int, query: LogQuery, found: Lines, empty: str = "") -> str:
    """The lines as a part of a page."""
    earlier = {**structs.asdict(query), "line": None, "before": found.first}
    return pages.html(
        "job/lines.html",
        job_id=job_id,
        lines=found.lines,
        earlier={key: value for key, value in earlier.items() if value} if found.earlier else None,
        empty=empty,
        fields=fields,
    )


def fields(values: Any) -> str:
    """What a line says beside its message."""
    if not isinstance(values, dict):
        return str(values)
    return " ".join(f"{key}={value}" for key, value in values.items())


@get("/jobs/{job_id:int}/log", opt=VIEWER, sync_to_thread=True)
def lines(
    request: AnyRequest, deck: AtDeck, pages: AtPages, job_id: FromPath[int]
) -> Response[str]:
    """The lines before the one that `before` names."""
    query = read(request)
    end = number(str(request.query_params.get("before", "")), "before") or 0
    with deck.store.read() as conn:
        found = before(conn, job_id, query, end, MORE, MORE_CHARS)
    return Response(html(pages, job_id, query, found), media_type=MediaType.HTML)


@get("/jobs/{job_id:int}/log.txt", opt=VIEWER, sync_to_thread=True)
def text(request: AnyRequest, deck: AtDeck, job_id: FromPath[int]) -> Stream:
    """All of it as text."""
    query = read(request)
    with deck.store.read() as conn:
        jobs.get(conn, job_id)
    return Stream(
        _text(deck, job_id, query),
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="job-{job_id}.log"'},
    )


def _text(deck: Deck, job_id: int, query: LogQuery) -> Iterator[str]:
    last = 0
    while True:
        with deck.store.read() as conn:
            found = logs.of_job(conn, job_id, after=last, limit=TEXT, **query.conditions)
        yield "".join(f"{_plain(line)}\n" for line in found)
        if len(found) < TEXT:
            return
        last = found[-1].id


def _plain(line: LogLine) -> str:
    step = f" {line.step}" if line.step else ""
    more = f" {fields(line.fields)}" if line.fields else ""
    return f"{clock.to_iso(line.at)} {line.level:<8}{step} {line.message}{more}"
