"""The log of a job: its newest lines, earlier ones, one line in its surroundings, as text."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from litestar import Response, get
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Stream
from markupsafe import Markup, escape
from msgspec import Struct, structs
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.numbers import read_if_any
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
"""The same of what is loaded when the reader comes to an end of what is there."""

AROUND = 100
TAIL = 1_000
"""Lines sent at once to a page that lags."""

TEXT = 5_000


class LogQuery(Struct, frozen=True, kw_only=True):
    """Which lines are meant: of one attempt, of a least level, with a text; `line` is one to be
    shown in its surroundings, `before` and `after` one from which to read on."""

    level: str = ""
    find: str = ""
    attempt: int | None = None
    line: int | None = None
    before: int | None = None
    after: int | None = None

    def pairs(self) -> dict[str, Any]:
        """As the query of an address."""
        return {name: value for name, value in structs.asdict(self).items() if value}

    @property
    def anywhere(self) -> "LogQuery":
        """The same lines without a place."""
        return structs.replace(self, line=None, before=None, after=None)

    @property
    def conditions(self) -> dict[str, Any]:
        """As the store takes them."""
        return {"level": self.level, "q": self.find, "attempt": self.attempt}


class Lines(Struct, frozen=True, kw_only=True):
    """Some lines in order. `earlier` and `later` are the numbers before and after which more may
    be found (None: there is no more); `searched`: nothing was found between, but not all is
    searched."""

    lines: list[LogLine]
    earlier: int | None = None
    later: int | None = None

    @property
    def searched(self) -> bool:
        """Whether a search has stopped before it found anything."""
        return not self.lines and (self.earlier or self.later) is not None


def read(request: AnyRequest) -> LogQuery:
    """The query of a request.

    Raises:
        InvalidValue: names the condition that cannot be understood.
    """
    given = request.query_params
    level = str(given.get("level", ""))
    if level and level not in logs.LEVELS:
        raise InvalidValue("level", f"{level!r} is none of {', '.join(logs.LEVELS)}")
    numbers = {
        n: read_if_any(str(given.get(n, "")), n) for n in ("attempt", "line", "before", "after")
    }
    return LogQuery(level=level, find=str(given.get("find", "")).replace("\0", ""), **numbers)


def first(conn: Connection, job_id: int, query: LogQuery) -> Lines:
    """The newest lines, or those about the place that is asked for."""
    if query.after is not None:
        return after(conn, job_id, query, query.after, FIRST, FIRST_CHARS)
    if query.line is None:
        return before(conn, job_id, query, query.before or 0, FIRST, FIRST_CHARS)
    below = after(conn, job_id, query, query.line, AROUND, FIRST_CHARS // 2)
    above = before(conn, job_id, query, query.line + 1, FIRST - AROUND, FIRST_CHARS // 2)
    return Lines(lines=above.lines + below.lines, earlier=above.earlier, later=below.later)


def before(
    conn: Connection, job_id: int, query: LogQuery, end: int, limit: int, chars: int
) -> Lines:
    """The lines before number `end` (0: before the end of all)."""
    found = logs.of_job(conn, job_id, after=end, limit=limit, newest_first=True, **query.conditions)
    shown = fit(found.lines, chars)
    cut = len(shown) < len(found.lines)
    earlier = shown[-1].id if cut else found.looked_to
    return Lines(lines=shown[::-1], earlier=earlier, later=end - 1 if end else None)


def after(
    conn: Connection, job_id: int, query: LogQuery, start: int, limit: int, chars: int
) -> Lines:
    """The lines after number `start`."""
    found = logs.of_job(conn, job_id, after=start, limit=limit, **query.conditions)
    shown = fit(found.lines, chars)
    cut = len(shown) < len(found.lines)
    earlier = start + 1 if start else None
    return Lines(lines=shown, earlier=earlier, later=shown[-1].id if cut else found.looked_to)


def tail(conn: Connection, job_id: int, query: LogQuery, start: int) -> tuple[Lines, int, bool]:
    """Some of the lines that came after number `start`, up to which number was looked, and
    whether there may be more."""
    found = after(conn, job_id, query, start, TAIL, MORE_CHARS)
    if found.later is not None:
        return found, found.later, True
    return found, max(start, logs.newest_of(conn, job_id)), False


def fit(lines: list[LogLine], chars: int) -> list[LogLine]:
    """As many of the first lines as have so many characters together, but one at least."""
    total = 0
    for number, line in enumerate(lines):
        total += len(line.message)
        if total > chars and number:
            return lines[:number]
    return lines


def html(
    pages: Pages, job_id: int, query: LogQuery, found: Lines, empty: str = "", *, ends: bool = True
) -> str:
    """The lines as a part of a page, with their `ends`: links to what is before and after."""
    plain = query.anywhere.pairs()
    return pages.html(
        "job/lines.html",
        job_id=job_id,
        found=found,
        before=plain | {"before": found.earlier} if found.earlier is not None else None,
        after=plain | {"after": found.later} if found.later is not None else None,
        ends=ends,
        empty=empty,
        row=partial(row, pages.url(f"/jobs/{job_id}"), query.find),
    )


def row(job: str, find: str, line: LogLine) -> Markup:
    """A line, with the places marked that `find` is found at; `job` is the address of its job.
    Made in Python: there are hundreds, and each has ten places for a template to fill."""
    at, level = clock.to_iso(line.at), escape(line.level)
    step = f'<span class="step">{escape(line.step)}</span>' if line.step else ""
    more = f' <span class="fields">{escape(fields(line.fields))}</span>' if line.fields else ""
    return Markup(  # noqa: S704  (what is not ours is escaped)
        f'<div class="line level-{level}" id="L{line.id}">'
        f'<a class="at" href="{escape(job)}?line={line.id}#L{line.id}">'
        f'<time datetime="{at}" data-style="log">{at[11:23]}</time></a>'
        f'<span class="level">{level}</span>{step}'
        f'<span class="text">{marked(line.message, find)}{more}</span></div>'
    )


def marked(text: str, find: str) -> Markup:
    """The text with every place marked where what is searched for stands."""
    if not find:
        return escape(text)
    parts = re.split(f"({re.escape(find)})", text, flags=re.IGNORECASE)
    return Markup("").join(
        Markup(f"<mark>{escape(part)}</mark>") if number % 2 else escape(part)  # noqa: S704
        for number, part in enumerate(parts)
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
    """The lines before or after the one that the address names."""
    query = read(request)
    with deck.store.read() as conn:
        if query.after is not None:
            found = after(conn, job_id, query, query.after, MORE, MORE_CHARS)
        else:
            found = before(conn, job_id, query, query.before or 0, MORE, MORE_CHARS)
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
    last: int | None = 0
    while last is not None:
        with deck.store.read() as conn:
            found = logs.of_job(conn, job_id, after=last, limit=TEXT, **query.conditions)
        yield "".join(f"{_plain(line)}\n" for line in found.lines)
        last = found.looked_to


def _plain(line: LogLine) -> str:
    step = f" {line.step}" if line.step else ""
    more = f" {fields(line.fields)}" if line.fields else ""
    return f"{clock.to_iso(line.at)} {line.level:<8}{step} {line.message}{more}"
