"""The list of jobs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from litestar import Response, get
from litestar.enums import MediaType
from litestar.response import Stream
from msgspec import structs
from sqlalchemy import Connection

from jobdeck.domain import clock, filtervalues
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE, JobFilter, Page
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Status
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import charts, counters, flows, jobs, listing, pipelines, queues, views
from jobdeck.web import completion, deeds, formats, jobs_query, live
from jobdeck.web.drawings import Frame
from jobdeck.web.jobs_query import RANGES, JobsQuery
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

CHILDREN = 50
"""So many children are shown under their parent; more are behind a link."""

COLUMNS = (
    ("id", "Job", ""),
    ("status", "Status", ""),
    ("", "Pipeline / flow", ""),
    ("", "Attempt", "num"),
    ("", "Queue", ""),
    ("created", "Created", ""),
    ("started", "Started", "c-started"),
    ("finished", "Finished", ""),
    ("duration", "Duration", "num"),
    ("", "Reason", "c-reason"),
    ("", "", ""),
)


@get("/jobs", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """The list that the address describes."""
    query = jobs_query.read(request)
    return live.page(
        pages,
        request,
        _view(pages, query, actor.role),
        "jobs/page.html",
        lambda conn: _choices(conn, query, actor),
        noun="jobs",
        query=query,
        ranges=RANGES,
        refused=deeds.why_not(actor, Role.OPERATOR),
    )


@get("/jobs/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes in that list."""
    return live.stream(pages, request, _view(pages, jobs_query.read(request), actor.role))


def _view(pages: Pages, query: JobsQuery, role: Role) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, query, role, now),
        topics=("jobs",),
        key=("jobs", query, role),
    )


def _choices(conn: Connection, query: JobsQuery, actor: Actor) -> dict[str, Any]:
    """What can be chosen beside the text of the filter."""
    return {
        "choices": [
            ("pipeline", "Pipeline", pipelines.names(conn)),
            ("flow", "Flow", flows.names(conn, query.value("pipeline"))),
            ("queue", "Queue", sorted(queues.ids(conn))),
        ],
        "views": views.of(conn, actor.name),
    }


@get("/jobs/complete", opt=VIEWER, sync_to_thread=True)
def complete(request: AnyRequest, pages: AtPages) -> Response[str]:
    """What may come next in the text of a filter, for its list below the field."""
    given = request.query_params
    text, at = str(given.get("q", "")), str(given.get("at", ""))
    place = int(at) if at.isascii() and at.isdecimal() and len(at) < 7 else len(text)
    with pages.deck.store.read() as conn:
        found = completion.options(conn, text.replace("\0", ""), place)
    return Response(pages.html("jobs/completion.html", found=found), media_type=MediaType.HTML)


@get("/jobs/further", opt=VIEWER, sync_to_thread=True)
def further(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Goes on with a search: what is found further back, and how far that was. `have` jobs are
    shown already; `stop` only says how to go on."""
    query = jobs_query.read(request)
    have = min(int(str(request.query_params.get("have", "0")) or 0), PAGE)
    now = clock.now()
    with pages.deck.store.read() as conn:
        if "stop" in request.query_params:
            found = Page[Job](items=[], next=query.cursor)
            at = str(request.query_params.get("at", ""))
            found = structs.replace(found, searched_to=filtervalues.moment(at, now, "at"))
        else:
            found, _ = _find(conn, query, now, limit=max(PAGE - have, 1))
    html = pages.html(
        "jobs/further.html",
        query=query,
        page=found,
        have=have + len(found.items),
        full=have + len(found.items) >= PAGE,
        stopped="stop" in request.query_params,
        now=now,
        role=actor.role,
    )
    return Response(html, media_type=MediaType.HTML)


def _frame(pages: Pages, conn: Connection, query: JobsQuery, role: Role, now: Micros) -> Frame:
    found, error = _find(conn, query, now)
    children = _children(conn, found.items)
    opened = {parent: _load_children(conn, parent) for parent in query.open if parent in children}
    wanted = None if error else query.condition(now)
    chart = _chart(conn, query, wanted, found, now)
    counts = _counts(conn, wanted)
    told = _count(conn, query, wanted, found, chart, counts, now)
    return Frame(
        {
            "counts": pages.html("jobs/counts.html", query=query, counts=counts),
            "volume": pages.html(
                "jobs/volume.html",
                query=query,
                chart=chart,
                told=told,
                now=now,
                bar_words=bar_words,
            ),
            "list": pages.html(
                "jobs/list.html",
                query=query,
                page=found,
                page_size=PAGE,
                error=error,
                now=now,
                role=role,
                columns=COLUMNS,
                told=told,
                meant=_meant(conn, query),
                children={parent: tree(counts) for parent, counts in children.items()},
                opened=opened,
                more_children={p for p in opened if sum(children[p].values()) > CHILDREN},
            ),
        }
    )


def bar_words(seconds: int) -> str:
    """How long a bar lasts: "an hour", "2 days", "10 minutes"."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            number = seconds // unit
            if number == 1:
                return f"{'an' if name == 'hour' else 'a'} {name}"
            return f"{number} {name}s"
    raise AssertionError(seconds)


def _find(
    conn: Connection, query: JobsQuery, now: Micros, limit: int = PAGE
) -> tuple[Page[Job], str]:
    """One page of the list, or none and what is wrong with what was asked for."""
    try:
        found = jobs.find(
            conn,
            query.condition(now),
            sort=query.keys,
            limit=limit,
            cursor=query.cursor or None,
            now=now,
        )
    except InvalidValue as error:
        return Page(items=[]), str(error)
    return found, ""


def _meant(conn: Connection, query: JobsQuery) -> Job | None:
    """The job whose number is searched for as a text, above those that hold that text."""
    if query.number is None or query.cursor:
        return None
    return next(iter(jobs.load(conn, [query.number])), None)


class Told(NamedTuple):
    """How many jobs there are, in words, and whether that is exact."""

    text: str
    exact: bool


def _count(
    conn: Connection,
    query: JobsQuery,
    wanted: JobFilter | None,
    found: Page[Job],
    chart: charts.Chart | None,
    counts: Mapping[Status, int] | None,
    now: Micros,
) -> Told:
    if wanted is None:
        return Told("", exact=False)
    if not query.cursor and found.next is None and not wanted.roots:
        return Told(formats.plural(len(found.items), "job"), exact=True)
    if counts is not None:
        counted = listing.Counted(sum(counts[status] for status in wanted.status or Status))
    elif chart is not None and chart.read is not None:
        counted = listing.Counted(chart.read, chart.searched_to is None)
    else:
        counted = listing.count(conn, structs.replace(wanted, roots=False), now)
    if counted.exact:
        return Told(formats.plural(counted.n, "job"), exact=True)
    if not counted.n:
        return Told("none found so far", exact=False)
    return Told(f"more than {formats.plural(counted.n, 'job')}", exact=False)


def _counts(conn: Connection, wanted: JobFilter | None) -> dict[Status, int] | None:
    """How many jobs there are in each status, where the counters tell."""
    if wanted is None or not counters.can_tell(wanted):
        return None
    return counters.by_status(conn, structs.replace(wanted, status=()))


def _chart(
    conn: Connection, query: JobsQuery, wanted: JobFilter | None, found: Page[Job], now: Micros
) -> charts.Chart | None:
    if wanted is None:
        return None
    shown = structs.replace(wanted, roots=wanted.roots and not query.folds)
    same = shown == wanted and query.keys == ["-id"] and not query.cursor
    return charts.read(conn, shown, now, page=found if same else None)


def _children(conn: Connection, items: list[Job]) -> dict[int, dict[Status, int]]:
    return jobs.children_counts(conn, [job.id for job in items]) if items else {}


def _load_children(conn: Connection, parent: int) -> list[Job]:
    return jobs.find(conn, JobFilter(parent=parent), sort=("id",), limit=CHILDREN).items


def tree(counts: Mapping[Status, int]) -> str:
    """How far the children are, such as "12/15 completed, 2 failed"."""
    total = sum(counts.values())
    words = [
        f"{formats.number(counts[Status.COMPLETED])}/{formats.number(total)} completed",
        *(
            f"{formats.number(counts[status])} {status}"
            for status in (Status.FAILED, Status.STOPPED)
            if counts[status]
        ),
    ]
    return ", ".join(words)
