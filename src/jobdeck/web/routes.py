"""All pages of one deck."""

from litestar import Response, Router, get
from litestar.di import Provide
from litestar.params import FromPath

from jobdeck.domain.errors import NotFound
from jobdeck.http import auth
from jobdeck.http.auth import PUBLIC, VIEWER
from jobdeck.http.state import Deck, dependencies
from jobdeck.web import (
    assets,
    bulk_deeds,
    bulk_items,
    error_deeds,
    error_groups,
    errors,
    flow,
    flow_deeds,
    job,
    job_deeds,
    job_items,
    job_manager,
    job_views,
    jobs,
    log_search,
    logs,
    overview,
    overview_deeds,
    palette,
    pipeline,
    pipeline_deeds,
    pipelines,
    places,
    queue_deeds,
    queues,
    schedule_deeds,
    schedule_form,
    schedules,
    sign_in,
    worker_deeds,
    workers,
)
from jobdeck.web.render import Pages

YEAR_S = 31_536_000
FORM_BYTES = 4 * 1024 * 1024


def web_router(deck: Deck) -> Router:
    """The router of the pages, mounted at the deck's base path."""
    handlers = [
        *(overview.page, overview.stream, overview_deeds.ask, overview_deeds.do),
        *(jobs.page, jobs.stream, jobs.complete, jobs.further, bulk_deeds.ask, bulk_deeds.do),
        *(job_views.ask_save, job_views.save, job_views.ask, job_views.do),
        *(bulk_deeds.ask_export, bulk_deeds.export, bulk_items.page, job_items.page),
        *(job.page, job.stream, job.file, job_deeds.ask, job_deeds.do, logs.lines, logs.text),
        *(queues.page, queues.stream, queue_deeds.ask, queue_deeds.do),
        *(queue_deeds.ask_limits, queue_deeds.limit),
        *(error_groups.page, error_groups.stream, error_groups.one, error_groups.one_stream),
        *(error_deeds.ask, error_deeds.do, log_search.page, log_search.stream, log_search.more),
        *(pipelines.page, pipelines.stream, pipeline_deeds.ask, pipeline_deeds.do),
        *(pipeline.page, pipeline.stream, flow_deeds.ask_add, flow_deeds.add, flow_deeds.check_add),
        *(flow.page, flow.stream, flow_deeds.ask, flow_deeds.do, flow_deeds.check),
        *(schedules.page, schedules.stream, schedule_form.preview),
        *(schedule_deeds.ask, schedule_deeds.do, schedule_deeds.ask_new, schedule_deeds.add),
        *(schedule_deeds.ask_edit, schedule_deeds.edit),
        *(palette.find, palette.watched),
        *(workers.page, workers.stream, worker_deeds.ask, worker_deeds.free),
        *(worker_deeds.ask_drain, worker_deeds.drain),
        *(job_manager.page, job_manager.row, job_manager.kill),
        *(sign_in.page, sign_in.enter, sign_in.leave, static, nothing),
    ]
    pages = Pages(deck, places.served({path for each in handlers for path in each.paths}))
    return Router(
        deck.base_path or "/",
        route_handlers=handlers,
        guards=[auth.guard(deck)],
        dependencies=dependencies(deck) | {"pages": Provide(lambda: pages, sync_to_thread=False)},
        exception_handlers={Exception: errors.handler(pages)},
        request_max_body_size=FORM_BYTES,
    )


@get("/static/{name:path}", opt=PUBLIC, sync_to_thread=True)
def static(name: FromPath[str]) -> Response[bytes]:
    """A file that pages load; its address changes with its content."""
    path, kind = assets.find(str(name).lstrip("/"))
    headers = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}
    return Response(path.read_bytes(), media_type=kind, headers=headers)


@get("/{rest:path}", opt=VIEWER, sync_to_thread=False)
def nothing(rest: FromPath[str]) -> Response[str]:
    """Every other address."""
    raise NotFound("page", rest)
