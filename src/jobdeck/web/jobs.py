"""The list of jobs."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE, JobFilter, Page
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Role
from jobdeck.domain.states import Status
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import counters, flows, jobs, pipelines, queues
from jobdeck.web import formats, jobs_query, live
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
    ("started", "Started", ""),
    ("finished", "Finished", ""),
    ("duration", "Duration", "num"),
    ("", "Reason", "c-reason"),
    ("", "", ""),
)


@get("/jobs", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """The list that the address describes."""
    query = jobs_query.read(request)
    now = clock.now()
    with pages.deck.store.read() as conn:
        frame = _frame(pages, conn, query, actor.role, now)
        choices = {
            "pipelines": [each.name for each in pipelines.all(conn)],
            "flows": [each.name for each in flows.all(conn, query.pipeline)],
            "queues": sorted(queues.ids(conn)),
        }
    return pages.page(
        request,
        "jobs/page.html",
        noun="jobs",
        now=now,
        query=query,
        regions=frame.regions,
        seen=str(live.seen(frame)),
        choices=choices,
        ranges=RANGES,
    )


@get("/jobs/live", opt=VIEWER)
async def stream(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Stream:
    """What changes in that list."""
    query = jobs_query.read(request)

    def draw(_position: int) -> Frame:
        with deck.store.read() as conn:
            return _frame(pages, conn, query, actor.role, clock.now())

    view = View(draw, topics=("jobs",), key=("jobs", query, actor.role))
    return live.stream(deck, pages.drawings, request, view)


def _frame(pages: Pages, conn: Connection, query: JobsQuery, role: Role, now: Micros) -> Frame:
    counts = _counts(conn, query)
    found, error = _find(conn, query, now)
    children = _children(conn, found.items)
    opened = {parent: _load_children(conn, parent) for parent in query.open if parent in children}
    return Frame(
        {
            "counts": pages.html("jobs/counts.html", query=query, counts=counts),
            "list": pages.html(
                "jobs/list.html",
                query=query,
                page=found,
                page_size=PAGE,
                error=error,
                now=now,
                role=role,
                columns=COLUMNS,
                children={parent: tree(counts) for parent, counts in children.items()},
                opened=opened,
                more_children={p for p in opened if sum(children[p].values()) > CHILDREN},
            ),
        }
    )


def _find(conn: Connection, query: JobsQuery, now: Micros) -> tuple[Page[Job], str]:
    """One page of the list, or none and what is wrong with what was asked for."""
    try:
        found = jobs.find(
            conn,
            query.condition(now),
            sort=query.sort.split(",") if query.sort else ("-id",),
            limit=PAGE,
            cursor=query.cursor or None,
            now=now,
        )
    except InvalidValue as error:
        return Page(items=[]), str(error)
    return found, ""


def _counts(conn: Connection, query: JobsQuery) -> dict[Status, int] | None:
    """How many jobs there are in each status, where the counters tell."""
    if not query.counted:
        return None
    known: dict[str, int | None] = {}
    if query.pipeline:
        known["pipeline_id"] = _id(pipelines.all(conn), query.pipeline)
    if query.flow:
        known["flow_id"] = _id(flows.all(conn), query.flow)
    if query.queue:
        known["queue_id"] = queues.ids(conn).get(query.queue)
    if None in known.values():
        return dict.fromkeys(Status, 0)
    return counters.totals(conn, **known)


def _id(known: Any, name: str) -> int | None:
    return next((each.id for each in known if each.name == name), None)


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
