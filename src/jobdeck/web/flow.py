"""One flow: its job executions with their details, how it is configured, and how it does."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Struct, structs
from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import JobdeckError, NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.numbers import read_if_any
from jobdeck.domain.records import Counts, Flow, Job, Pipeline, Step
from jobdeck.domain.roles import Actor, Role
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import (
    counters,
    cursors,
    flows,
    items,
    jobs,
    pipelines,
    recent,
    schedules,
    steps,
)
from jobdeck.web import activity, deeds, flow_deeds, flow_words, health, live, schema_words
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

PAGE = 15
TOPICS = ("jobs", "flow", "pipeline", "schedule")


class FlowQuery(Struct, frozen=True, kw_only=True):
    """Which execution is looked at, and on which page of the list: those before a number or after
    it, or the newest."""

    job: int | None = None
    before: int | None = None
    after: int | None = None

    def pairs(self, **values: int | None) -> dict[str, Any]:
        """As parts of an address, some of them replaced."""
        return structs.asdict(structs.replace(self, **values))


class Executions(Struct, frozen=True, kw_only=True):
    """A page of the list, the newest first; the numbers lead to the pages beside it."""

    items: list[Job]
    older: int | None = None
    newer: int | None = None
    searched_to: Micros | None = None


class Details(Struct, frozen=True, kw_only=True):
    """An execution, with what its steps did."""

    job: Job
    steps: list[Step]
    counted: bool
    total: Counts


def _read(request: AnyRequest) -> FlowQuery:
    given = request.query_params
    names = ("job", "before", "after")
    return FlowQuery(**{n: read_if_any(str(given.get(n, "")), n) for n in names})


@get("/flows/{name:str}", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By, name: FromPath[str]) -> Response[str]:
    """All about it."""
    query = _read(request)
    view = _view(pages, name, query, actor)
    return live.page(
        pages, request, view, "flow/page.html", noun="pipelines", name=name, query=query
    )


@get("/flows/{name:str}/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By, name: FromPath[str]) -> Stream:
    """What changes about it."""
    return live.stream(pages, request, _view(pages, name, _read(request), actor))


def _view(pages: Pages, name: str, query: FlowQuery, actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, flows.get(conn, name), query, actor, now),
        topics=TOPICS,
        key=("flow", name, query, actor.role),
    )


def _frame(
    pages: Pages, conn: Connection, flow: Flow, query: FlowQuery, actor: Actor, now: Micros
) -> Frame:
    pipeline = pipelines.get(conn, flow.pipeline)
    manifest = _manifest(conn, pipeline, pipeline.published_version)
    runs = recent.runs(conn, [flow.id], limit=health.CHART)[flow.id]
    counts = counters.totals(conn, flow_id=flow.id)
    every = flows.all(conn)
    details, missing = _details(conn, flow, pipeline, query)
    shown: dict[str, Any] = {"flow": flow, "query": query, "now": now, "role": actor.role}
    return Frame(
        {
            "head": pages.html(
                "flow/head.html",
                **shown,
                pipeline=pipeline,
                deeds=flow_deeds.of_flow(flow, pipeline.published_version is not None, actor),
                health=health.show(runs),
                open=sum(n for status, n in counts.items() if not status.final),
                ended=sum(n for status, n in counts.items() if status.final),
            ),
            "executions": pages.html(
                "flow/executions.html", **shown, executions=_executions(conn, flow, query)
            ),
            "details": pages.html("flow/details.html", **shown, details=details, missing=missing),
            "runs": pages.html("runs_chart.html", chart=health.chart(runs)),
            "activity": activity.panel(pages, conn, now, activity.WEEK, flow=flow.name),
            "settings": pages.html(
                "flow/settings.html",
                **shown,
                settings=flow_words.settings(flow, manifest),
                parameters=schema_words.parameters(manifest.params_schema),
                items=items.count(conn, flow.id, now),
                item_refusal=deeds.why_not(actor, Role.OPERATOR),
                schedules=[
                    (each, flow_words.times(each)) for each in schedules.all(conn, flow.name)
                ],
                leaders=flow_words.leaders(flow),
                followers=flow_words.followers(flow.name, every),
            ),
        }
    )


def _manifest(conn: Connection, pipeline: Pipeline, version: int | None) -> PipelineManifest:
    """That version of the pipeline; the current one where it is not known."""
    if version is None or version == pipeline.current_version:
        return pipeline.manifest
    try:
        return pipelines.manifest(conn, pipeline.id, version)
    except JobdeckError:
        return pipeline.manifest


def _executions(conn: Connection, flow: Flow, query: FlowQuery) -> Executions:
    """The page of the list that the query describes."""
    wanted = JobFilter(flow=flow.name)
    if query.after is not None:
        cursor = cursors.write("id", [query.after])
        found = jobs.find(conn, wanted, sort=("id",), limit=PAGE, cursor=cursor)
        items = found.items[::-1]
        if not items:
            return _executions(conn, flow, FlowQuery())
        return Executions(
            items=items, older=items[-1].id, newer=items[0].id if found.next else None
        )
    cursor = cursors.write("-id", [query.before]) if query.before is not None else ""
    found = jobs.find(conn, wanted, limit=PAGE, cursor=cursor or None)
    items = found.items
    return Executions(
        items=items,
        older=items[-1].id if items and found.next else None,
        newer=_newer(query, items),
        searched_to=found.searched_to,
    )


def _newer(query: FlowQuery, found: list[Job]) -> int | None:
    if query.before is None:
        return None
    return found[0].id if found else query.before - 1


def _details(
    conn: Connection, flow: Flow, pipeline: Pipeline, query: FlowQuery
) -> tuple[Details | None, str]:
    """The execution that is looked at; or why it cannot be shown."""
    if query.job is None:
        return None, ""
    try:
        job = jobs.get(conn, query.job)
    except NotFound:
        return None, f"Job {query.job} is no longer there."
    if job.flow != flow.name:
        return None, f"Job {query.job} is one of {job.flow}."
    version = job.version or pipeline.published_version
    found = steps.of_job(conn, job, _manifest(conn, pipeline, version))
    return Details(
        job=job,
        steps=found,
        counted=any(step.counts != Counts() for step in found),
        total=Counts.of_all(step.counts for step in found),
    ), ""
