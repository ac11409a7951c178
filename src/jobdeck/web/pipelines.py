"""The table of pipelines: what there is, whether it runs, and how it does."""

from collections import defaultdict
from typing import Any

from litestar import Response, get
from litestar.response import Stream
from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.health import Run
from jobdeck.domain.records import Flow, Pipeline
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import flows, pipelines, recent
from jobdeck.web import health, live, pipeline_deeds
from jobdeck.web.deeds import Deed
from jobdeck.web.drawings import Frame
from jobdeck.web.health import Shown
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

PAGE = 50
TOPICS = ("pipeline", "flow", "jobs")


class Row(Struct, frozen=True, kw_only=True):
    """A pipeline as the table shows it."""

    pipeline: Pipeline
    execution: str
    flows: int
    health: Shown
    menu: list[Deed]


class PipelinesQuery(Struct, frozen=True, kw_only=True):
    """What the address says: a part of the name, and after which name to go on."""

    q: str = ""
    after: str = ""

    def pairs(self) -> dict[str, Any]:
        """As parts of an address."""
        return {"q": self.q, "after": self.after}


def _read(request: AnyRequest) -> PipelinesQuery:
    params = request.query_params
    return PipelinesQuery(q=str(params.get("q", "")).strip(), after=str(params.get("after", "")))


@get("/pipelines", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Every pipeline by name."""
    query = _read(request)
    view = _view(pages, query, actor)
    return live.page(pages, request, view, "pipelines/page.html", noun="pipelines", query=query)


@get("/pipelines/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes in the table."""
    return live.stream(pages, request, _view(pages, _read(request), actor))


def _view(pages: Pages, query: PipelinesQuery, actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, query, actor, now),
        topics=TOPICS,
        key=("pipelines", query, actor.role),
    )


def _frame(
    pages: Pages, conn: Connection, query: PipelinesQuery, actor: Actor, now: Micros
) -> Frame:
    every = pipelines.all(conn)
    fits = [p for p in every if query.q.lower() in p.name.lower() and p.name > query.after]
    html = pages.html(
        "pipelines/table.html",
        rows=rows(conn, fits[:PAGE], actor),
        query=query,
        total=len(every),
        more=fits[PAGE - 1].name if len(fits) > PAGE else "",
        now=now,
    )
    return Frame({"table": html})


def rows(conn: Connection, some: list[Pipeline], actor: Actor) -> list[Row]:
    """These pipelines with what else their rows tell."""
    own: dict[str, list[Flow]] = defaultdict(list)
    names = {pipeline.name for pipeline in some}
    for flow in flows.all(conn):
        if flow.pipeline in names:
            own[flow.pipeline].append(flow)
    found = recent.runs(conn, [flow.id for each in own.values() for flow in each])
    return [_row(pipeline, own[pipeline.name], found, actor) for pipeline in some]


def _row(pipeline: Pipeline, own: list[Flow], found: dict[int, list[Run]], actor: Actor) -> Row:
    default = next((flow for flow in own if flow.name == pipeline.name), None)
    return Row(
        pipeline=pipeline,
        execution=execution(default),
        flows=len(own),
        health=health.show(recent.merged({flow.id: found[flow.id] for flow in own})),
        menu=pipeline_deeds.of_pipeline(pipeline, default, actor),
    )


def execution(flow: Flow | None) -> str:
    """Whether its jobs run one after the other or beside each other, in a word or two."""
    if flow is None or flow.max_running is None:
        return "parallel"
    return "sequential" if flow.max_running == 1 else f"{flow.max_running} at once"
