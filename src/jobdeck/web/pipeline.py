"""One pipeline: its steps and parameters, versions, flows, and how its runs went."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Flow, Pipeline, Schedule
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import counters, flows, jobs, pipelines, recent, schedules
from jobdeck.web import activity, flow_words, health, live, pipeline_deeds, schema_words
from jobdeck.web import pipelines as table
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

JOBS = 10
VERSIONS = 20


@get("/pipelines/{name:str}", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By, name: FromPath[str]) -> Response[str]:
    """All about it."""
    view = _view(pages, name, actor)
    return live.page(pages, request, view, "pipeline/page.html", noun="pipelines", name=name)


@get("/pipelines/{name:str}/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By, name: FromPath[str]) -> Stream:
    """What changes about it."""
    return live.stream(pages, request, _view(pages, name, actor))


def _view(pages: Pages, name: str, actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, pipelines.get(conn, name), actor, now),
        topics=(*table.TOPICS, "schedule"),
        key=("pipeline", name, actor.role),
    )


def _frame(pages: Pages, conn: Connection, pipeline: Pipeline, actor: Actor, now: Micros) -> Frame:
    own = flows.all(conn, pipeline.name)
    found = recent.runs(conn, [flow.id for flow in own], limit=health.CHART)
    together = recent.merged(found, health.CHART)
    default = next((flow for flow in own if flow.name == pipeline.name), None)
    shown: dict[str, Any] = {"pipeline": pipeline, "now": now, "role": actor.role}
    versions = pipelines.all_versions(conn, pipeline.id, limit=VERSIONS + 1)
    counts = counters.totals(conn, pipeline_id=pipeline.id)
    return Frame(
        {
            "head": pages.html(
                "pipeline/head.html",
                **shown,
                execution=table.execution(default),
                deeds=pipeline_deeds.of_pipeline(pipeline, default, actor),
                health=health.show(together),
                counts={status.value: n for status, n in counts.items()},
                open=sum(n for status, n in counts.items() if not status.final),
            ),
            "work": pages.html(
                "pipeline/work.html",
                **shown,
                chart=health.chart(together),
                activity=activity.panel(pages, conn, now, activity.WEEK, pipeline=pipeline.name),
                parameters=schema_words.parameters(pipeline.manifest.params_schema),
                flows=[(flow, health.show(found[flow.id])) for flow in own],
                jobs=_jobs(conn, pipeline),
            ),
            "side": pages.html(
                "pipeline/side.html",
                **shown,
                versions=versions[:VERSIONS],
                more_versions=len(versions) > VERSIONS,
                schedules=_schedules(conn, own),
                retry=flow_words.retry(pipeline.manifest.retry),
            ),
        }
    )


def _jobs(conn: Connection, pipeline: Pipeline) -> Any:
    return jobs.find(conn, JobFilter(pipeline=pipeline.name), limit=JOBS).items


def _schedules(conn: Connection, own: list[Flow]) -> list[tuple[Schedule, str]]:
    names = {flow.name for flow in own}
    return [(each, flow_words.times(each)) for each in schedules.all(conn) if each.flow in names]
