"""Error groups: the list of them, and one with its jobs."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Struct, structs
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.filters import PAGE, JobFilter
from jobdeck.domain.names import check_text
from jobdeck.domain.records import ErrorGroup, Job
from jobdeck.domain.roles import Actor, Role
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import error_groups, flows, jobs
from jobdeck.web import live
from jobdeck.web.deeds import Deed, why_not
from jobdeck.web.drawings import Frame
from jobdeck.web.formats import plural
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

HOURS = 7 * 24
"""The trend of one error; in the list it is that of a day."""

JOBS = 25
TOPICS = ("jobs", "error")
_STATES = {"open": "Open", "resolved": "Resolved", "muted": "Muted", "all": "All"}
COLUMNS = (
    ("error", "Error", ""),
    ("state", "State", ""),
    ("trend", "Last 24 hours", ""),
    ("failures", "Failures", "num"),
    ("jobs", "Jobs", "num"),
    ("first", "First seen", ""),
    ("last", "Last seen", ""),
)
_BACK_MAX = 40


class ErrorsQuery(Struct, frozen=True, kw_only=True):
    """Which error groups are listed, as the address says it; `back` holds the cursors of the
    pages before this one."""

    state: str = ""
    flow: str = ""
    q: str = ""
    sort: str = ""
    cursor: str = ""
    back: tuple[str, ...] = ()

    def pairs(self) -> dict[str, Any]:
        """As the query of an address."""
        return {name: value for name, value in structs.asdict(self).items() if value}

    def replacing(self, **values: Any) -> dict[str, Any]:
        """The first page of the list with other conditions."""
        return structs.replace(self, **{"cursor": "", "back": (), **values}).pairs()

    def older(self, cursor: str) -> dict[str, Any]:
        """The page that follows."""
        back = (*self.back, self.cursor or "0")[-_BACK_MAX:]
        return structs.replace(self, cursor=cursor, back=back).pairs()

    def newer(self) -> dict[str, Any]:
        """The page before this one; the first one where that is not known."""
        cursor = self.back[-1] if self.back else "0"
        place = "" if cursor == "0" else cursor
        return structs.replace(self, cursor=place, back=self.back[:-1]).pairs()

    @property
    def order(self) -> str:
        """What the list is sorted by, `-` before what falls."""
        return self.sort or error_groups.NEWEST

    def direction(self, column: str) -> str:
        """How the list is sorted by that column: ascending, descending, or empty."""
        if self.order.removeprefix("-") != column:
            return ""
        return "descending" if self.order.startswith("-") else "ascending"

    def sorted_by(self, column: str) -> dict[str, Any]:
        """The same sorted by that column, the largest and newest first at the first click."""
        sort = column if self.direction(column) == "descending" else f"-{column}"
        return self.replacing(sort="" if sort == error_groups.NEWEST else sort)

    @property
    def narrowed(self) -> bool:
        """Whether more than the state narrows the list."""
        return bool(self.flow or self.q or self.cursor)


def read(request: AnyRequest) -> ErrorsQuery:
    """The query of a request.

    Raises:
        InvalidValue: names the condition that cannot be understood.
    """
    given = request.query_params
    texts = {n: str(given.get(n, "")).strip() for n in ("state", "flow", "q", "sort", "cursor")}
    for name, text in texts.items():
        check_text(text, name)
    if texts["state"] and texts["state"] not in _STATES:
        raise InvalidValue("state", f"{texts['state']!r} is none of {', '.join(_STATES)}")
    if texts["state"] == "open":
        texts["state"] = ""
    return ErrorsQuery(**texts, back=tuple(given.getall("back", []))[-_BACK_MAX:])


@get("/errors", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """The groups, what happened last first."""
    query = read(request)
    return live.page(
        pages,
        request,
        _list_view(pages, query, actor.role),
        "errors/page.html",
        lambda conn: {"flow_names": flows.names(conn)},
        noun="errors",
        query=query,
        states=_STATES,
    )


@get("/errors/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes in that list."""
    return live.stream(pages, request, _list_view(pages, read(request), actor.role))


def _list_view(pages: Pages, query: ErrorsQuery, role: Role) -> View:
    return View(
        lambda conn, now, _: _list(pages, conn, query, role, now),
        topics=TOPICS,
        key=("errors", query, role),
    )


def _list(pages: Pages, conn: Connection, query: ErrorsQuery, role: Role, now: Micros) -> Frame:
    found = error_groups.find(
        conn,
        now=now,
        state={"": "open", "all": ""}.get(query.state, query.state),
        flow=query.flow,
        q=query.q,
        sort=query.order,
        limit=PAGE,
        cursor=query.cursor or None,
    )
    shown = {"query": query, "page": found, "page_size": PAGE, "role": role, "now": now}
    sorts = error_groups.SORTS
    return Frame({"list": pages.html("errors/list.html", **shown, columns=COLUMNS, sorts=sorts)})


@get("/errors/{group_id:int}", opt=VIEWER, sync_to_thread=True)
def one(request: AnyRequest, pages: AtPages, actor: By, group_id: FromPath[int]) -> Response[str]:
    """One group: what happens, since when, how often, and to which jobs."""
    cursor = str(request.query_params.get("cursor", ""))
    now = clock.now()
    return live.page(
        pages,
        request,
        _one_view(pages, group_id, cursor, actor),
        "errors/one.html",
        lambda conn: {"group": error_groups.get(conn, group_id, now)},
        noun="errors",
        live_address=pages.url(f"/errors/{group_id}/live", {"cursor": cursor}),
    )


@get("/errors/{group_id:int}/live", opt=VIEWER)
async def one_stream(
    request: AnyRequest, pages: AtPages, actor: By, group_id: FromPath[int]
) -> Stream:
    """What changes about it."""
    cursor = str(request.query_params.get("cursor", ""))
    return live.stream(pages, request, _one_view(pages, group_id, cursor, actor))


def _one_view(pages: Pages, group_id: int, cursor: str, actor: Actor) -> View:
    return View(
        lambda conn, now, _: _one(pages, conn, group_id, cursor, actor, now),
        topics=TOPICS,
        key=("error", group_id, cursor, actor.role),
    )


def _one(
    pages: Pages, conn: Connection, group_id: int, cursor: str, actor: Actor, now: Micros
) -> Frame:
    group = error_groups.get(conn, group_id, now, HOURS)
    wanted = JobFilter(error_group=group_id)
    found = jobs.find(conn, wanted, limit=JOBS, cursor=cursor or None)
    shown = {"group": group, "now": now}
    return Frame(
        {
            "head": pages.html("errors/head.html", **shown, deeds=deeds(group, actor)),
            "what": pages.html("errors/what.html", **shown, example=_example(conn, group)),
            "jobs": pages.html("errors/jobs.html", **shown, page=found, cursor=cursor),
        }
    )


def _example(conn: Connection, group: ErrorGroup) -> Job | None:
    """The job that failed last by it, while it stands so."""
    try:
        job = jobs.get(conn, group.last_job)
    except NotFound:
        return None
    return job if job.status == "failed" else None


def deeds(group: ErrorGroup, actor: Actor) -> list[Deed]:
    """What can be done to a group; those that cannot act say why."""
    role = why_not(actor, Role.OPERATOR)
    none = "" if group.jobs else "No job is failed by it any more."
    label = f"Retry {plural(group.jobs, 'job')}" if group.jobs else "Retry"
    mark = (
        Deed(name="reopen", label="Open again", icon="errors", why_not=role)
        if group.resolved_at is not None
        else Deed(name="resolve", label="Mark resolved", icon="calm", why_not=role)
    )
    ended = "" if group.resolved_at is None else "It is resolved; it tells when it comes back."
    quiet = (
        Deed(name="unmute", label="Unmute", icon="bell", why_not=role)
        if group.muted_at is not None
        else Deed(name="mute", label="Mute", icon="bell-off", why_not=role or ended)
    )
    return [Deed(name="retry", label=label, icon="retry", why_not=role or none), mark, quiet]
