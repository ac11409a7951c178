"""The queues: what waits in each, for how long, and what holds it."""

from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Queue
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.serving import serves
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import pools, queues
from jobdeck.web import deeds, live, tables
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages
from jobdeck.web.tables import Column, Table
from jobdeck.web.troubles import LONG_WAIT_S, long_waits

COLUMNS = (
    Column(name="name", label="Queue", css="c-main", key=lambda queue: queue.name.lower()),
    Column(name="pending", label="Pending", css="num", key=lambda queue: queue.pending),
    Column(name="running", label="Running", css="num", key=lambda queue: queue.running),
    Column(name="scheduled", label="Scheduled", css="num", key=lambda queue: queue.scheduled),
    Column(name="retrying", label="Retrying", css="num", key=lambda queue: queue.retrying),
    Column(name="latency", label="Latency", key=lambda queue: queue.latency_s),
    Column(name="state", label="State", key=lambda queue: queue.paused_at or 0),
    Column(name="limits", label="Limits"),
    Column(name="actions"),
)
SHOWN = ("waiting", "paused")
"""What the list can be narrowed to."""


@get("/queues", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Every queue."""
    table = _table(request)
    view = _view(pages, table, actor)
    refused = deeds.why_not(actor, Role.OPERATOR)
    return live.page(
        pages, request, view, "queues/page.html", noun="queues", table=table, refused=refused
    )


@get("/queues/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes in them."""
    return live.stream(pages, request, _view(pages, _table(request), actor))


def _table(request: AnyRequest) -> "Table[Queue]":
    asked = request.query_params
    return tables.read(COLUMNS, asked, SHOWN, q=tables.sought(asked))


def _view(pages: Pages, table: "Table[Queue]", actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, table, actor, now),
        topics=("jobs", "queue", "pool"),
        key=("queues", *sorted(table.pairs().items()), actor.role),
    )


def _frame(
    pages: Pages, conn: Connection, table: "Table[Queue]", actor: Actor, now: Micros
) -> Frame:
    every = sorted(queues.all(conn, now), key=lambda queue: (queue.builtin, queue.name.lower()))
    all_pools = pools.all(conn)
    rows = table.arrange([queue for queue in every if _passes(queue, table.query)])
    shared: dict[str, Any] = {"table": table, "now": now, "role": actor.role}
    return Frame(
        {
            "banner": pages.html(
                "queues/banner.html",
                long=long_waits(every) if actor.role >= Role.OPERATOR else [],
                **shared,
            ),
            "chips": pages.html(
                "queues/chips.html",
                **shared,
                numbers={
                    "": len(every),
                    "waiting": sum(bool(queue.pending) for queue in every),
                    "paused": sum(queue.paused_at is not None for queue in every),
                },
            ),
            "list": pages.html(
                "queues/list.html",
                **shared,
                rows=rows,
                long_s=LONG_WAIT_S,
                scheduler=SCHEDULER,
                unserved={q.name for q in rows if q.pending and not serves(all_pools, q.name, now)},
            ),
        }
    )


def _passes(queue: Queue, query: dict[str, str]) -> bool:
    if query.get("show") == "waiting" and not queue.pending:
        return False
    if query.get("show") == "paused" and queue.paused_at is None:
        return False
    return query.get("q", "").lower() in queue.name.lower()
