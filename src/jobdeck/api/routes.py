"""All routes of the REST API of one deck."""

from litestar import Router
from litestar.types import ControllerRouterHandler

from jobdeck.api import events, logs
from jobdeck.api.bulk import BulkApi
from jobdeck.api.cleanup import CleanupApi
from jobdeck.api.docs import docs_router
from jobdeck.api.error_groups import ErrorsApi
from jobdeck.api.flows import FlowsApi
from jobdeck.api.hint_rules import HintsApi
from jobdeck.api.items import ItemsApi
from jobdeck.api.job_parts import JobPartsApi
from jobdeck.api.jobs import FlowJobsApi, JobsApi
from jobdeck.api.pipelines import PipelinesApi
from jobdeck.api.pools import PoolsApi, WorkersApi
from jobdeck.api.queues import QueuesApi
from jobdeck.api.root import ROOT
from jobdeck.api.schedules import SchedulesApi
from jobdeck.api.session import SessionApi
from jobdeck.api.views import ViewsApi
from jobdeck.http import auth, problems, query
from jobdeck.http.state import Deck, dependencies

BODY_BYTES = 16 * 1024 * 1024
"""Larger bodies are refused; bulk creation takes several calls."""

CONTROLLERS = (
    JobsApi,
    BulkApi,
    JobPartsApi,
    FlowJobsApi,
    ViewsApi,
    ErrorsApi,
    HintsApi,
    FlowsApi,
    ItemsApi,
    PipelinesApi,
    QueuesApi,
    SchedulesApi,
    PoolsApi,
    WorkersApi,
    CleanupApi,
    SessionApi,
    events.stream,
    logs.search,
)


DESCRIBED: tuple[ControllerRouterHandler, ...] = (
    Router("/api/v1", route_handlers=CONTROLLERS),
    *ROOT,
)
"""What the OpenAPI description tells of."""


def api_router(deck: Deck) -> Router:
    """The router of the API, mounted at the deck's base path."""
    return Router(
        deck.base_path or "/",
        route_handlers=[
            Router("/api/v1", route_handlers=CONTROLLERS),
            docs_router(DESCRIBED),
            *ROOT,
        ],
        guards=[auth.guard(deck), query.known_only],
        dependencies=dependencies(deck),
        exception_handlers=problems.HANDLERS,
        request_max_body_size=BODY_BYTES,
    )
