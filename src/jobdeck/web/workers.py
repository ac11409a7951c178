"""The pools, and the workers of one or all of them: what each runs, and how far it is."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain import numbers
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Worker
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.serving import lives
from jobdeck.domain.states import Status
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import pools
from jobdeck.store.pools import Begun
from jobdeck.web import deeds, live, tables
from jobdeck.web.drawings import TICK_S, Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages
from jobdeck.web.tables import Column, Table

SHOWN = 200
"""So many workers are listed."""

COLUMNS = (
    Column(name="id", label="Worker ID", css="c-main", key=lambda each: each.id),
    Column(name="pool", label="Pool", css="num", key=lambda each: each.pool),
    Column(name="pid", label="PID", css="num", key=lambda each: each.pid),
    Column(name="state", label="State", key=lambda each: (each.job is not None, each.stopping)),
    Column(name="job", label="Job name", key=lambda each: each.job_name.lower()),
    Column(name="number", label="Job ID", css="num", key=lambda each: each.job or 0),
    Column(name="started", label="Started", key=lambda each: each.job_started_at or 0),
    Column(name="checked", label="Checked in", key=lambda each: each.checked_in_at or 0),
    Column(name="actions"),
)


@get("/workers", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Every pool, and the workers of the one that the address names, or of all."""
    table = _table(request)
    view = _view(pages, table, actor)
    refused = deeds.why_not(actor, Role.OPERATOR)
    return live.page(
        pages, request, view, "workers/page.html", noun="workers", table=table, refused=refused
    )


@get("/workers/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes in them."""
    return live.stream(pages, request, _view(pages, _table(request), actor))


def _table(request: AnyRequest) -> "Table[Worker]":
    asked = request.query_params
    pool = numbers.read(str(asked.get("pool", "")))
    return tables.read(COLUMNS, asked, ("busy",), pool="" if pool is None else str(pool))


def _view(pages: Pages, table: "Table[Worker]", actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, table, actor, now),
        topics=("jobs", "pool"),
        key=("workers", *sorted(table.pairs().items()), actor.role),
    )


def _frame(
    pages: Pages, conn: Connection, table: "Table[Worker]", actor: Actor, now: Micros
) -> Frame:
    runs = pools.begun(conn)
    all_pools = pools.all(conn, runs=runs)
    every = pools.list_workers(conn, runs=runs)
    chosen = int(table.query["pool"]) if table.query["pool"] else None
    mine = [each for each in every if chosen in (None, each.pool)]
    rows = [each for each in table.arrange(mine) if each.job is not None or not table.query["show"]]
    role = deeds.why_not(actor, Role.OPERATOR)
    busy = sum(each.job is not None for each in every)
    shared: dict[str, Any] = {"table": table, "now": now, "role": actor.role, "chosen": chosen}
    return Frame(
        {
            "summary": pages.html(
                "workers/summary.html",
                workers=len(every),
                busy=busy,
                pools=sum(lives(pool, now) for pool in all_pools),
            ),
            "deeds": pages.html(
                "workers/deeds.html", lacks=role or ("" if busy else "No worker is busy.")
            ),
            "pools": pages.html(
                "workers/pools.html",
                pools=[(pool, lives(pool, now)) for pool in all_pools],
                **shared,
            ),
            "workers": pages.html(
                "workers/list.html",
                rows=rows[:SHOWN],
                beside=_beside(runs),
                more=max(len(rows) - SHOWN, 0),
                running=Status.RUNNING,
                known=chosen is None or any(pool.id == chosen for pool in all_pools),
                total=len(mine),
                busy=sum(each.job is not None for each in mine),
                **shared,
            ),
        },
        # Heartbeats and memory change with time alone.
        ticks_s=TICK_S,
    )


def _beside(runs: Sequence[Begun]) -> dict[int, int]:
    """How many further jobs run in each of the workers: coroutine jobs share one."""
    running = Counter(each.worker_id for each in runs)
    return {worker: n - 1 for worker, n in running.items() if n > 1}
