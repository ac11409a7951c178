"""The schedules: what each creates, when, what became of it, and what holds it."""

from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Queue, Schedule
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Status
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import queues, schedules
from jobdeck.web import deeds, live, tables, troubles
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages
from jobdeck.web.schedule_words import when
from jobdeck.web.tables import Column, Table

NEVER = 1 << 62
SHOWN = ("running", "paused", "failed")
"""What the list can be narrowed to."""

COLUMNS = (
    Column(name="id", label="ID", css="num", key=lambda each: each.id),
    Column(name="flow", label="Flow, vendor", css="c-main", key=lambda each: each.flow.lower()),
    Column(name="when", label="When"),
    Column(name="next", label="Next run", key=lambda each: each.next_at or NEVER),
    Column(name="last", label="Last run", key=lambda each: each.last_at or 0),
    Column(name="created", label="Created", key=lambda each: each.created_at),
    Column(name="state", label="State", key=lambda each: each.paused_at or 0),
    Column(name="actions"),
)


@get("/schedules", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Every schedule."""
    table = _table(request)
    view = _view(pages, table, actor)
    refused = deeds.why_not(actor, Role.OPERATOR)
    return live.page(
        pages, request, view, "schedules/page.html", noun="schedules", table=table, refused=refused
    )


@get("/schedules/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes in them."""
    return live.stream(pages, request, _view(pages, _table(request), actor))


def _table(request: AnyRequest) -> "Table[Schedule]":
    asked = request.query_params
    return tables.read(COLUMNS, asked, SHOWN, q=tables.sought(asked))


def _view(pages: Pages, table: "Table[Schedule]", actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, table, actor, now),
        topics=("jobs", "queue", "schedule"),
        key=("schedules", *sorted(table.pairs().items()), actor.role),
    )


def _frame(
    pages: Pages, conn: Connection, table: "Table[Schedule]", actor: Actor, now: Micros
) -> Frame:
    every = schedules.all(conn)
    rows = table.arrange([each for each in every if _passes(each, table.query)])
    shared: dict[str, Any] = {"table": table, "now": now, "role": actor.role}
    held = _held(conn, now)
    role = deeds.why_not(actor, Role.OPERATOR)
    return Frame(
        {
            "banner": pages.html("schedules/banner.html", held=held, refused=role, **shared),
            "deeds": pages.html(
                "schedules/deeds.html",
                held=held,
                refused=role,
                lacks=role or ("" if every else "There is no schedule."),
            ),
            "chips": pages.html(
                "schedules/chips.html",
                numbers={name: sum(_is(each, name) for each in every) for name in ("", *SHOWN)},
                **shared,
            ),
            "list": pages.html(
                "schedules/list.html",
                rows=[(each, when(each), troubles.overdue(each, now)) for each in rows],
                held=held,
                **shared,
            ),
        }
    )


def _held(conn: Connection, now: Micros) -> Queue | None:
    """The queue that holds every schedule, if it is paused."""
    return next((q for q in queues.all(conn, now) if q.name == SCHEDULER and q.paused_at), None)


def _passes(schedule: Schedule, query: dict[str, str]) -> bool:
    texts = (schedule.flow, schedule.vendor_type, schedule.vendor_id, schedule.cron)
    sought = query["q"].lower()
    return _is(schedule, query["show"]) and any(sought in text.lower() for text in texts)


def _is(schedule: Schedule, shown: str) -> bool:
    match shown:
        case "running":
            return schedule.paused_at is None
        case "paused":
            return schedule.paused_at is not None
        case "failed":
            return schedule.last_status is Status.FAILED
    return True
