"""Calls about pipelines: what is there, publishing, running them as Decisyon's clients do."""

from typing import Annotated, Any

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from jobdeck.actions import jobs as job_actions
from jobdeck.actions import pipelines as actions
from jobdeck.actions.once import Once
from jobdeck.api.kinds import IdempotencyKey, Items, Reason, once_of
from jobdeck.client import requests, shapes
from jobdeck.domain.records import Job
from jobdeck.domain.states import Status
from jobdeck.http.auth import ADMIN, OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import jobs, logs, pipelines

RUN_S = 3600
OUTPUT_LINES = 10_000


class Ran(Struct, frozen=True):
    """How a job that was waited for ended; `output` is what it printed and logged."""

    id: int
    status: Status
    result: Any
    error: shapes.Error | None
    output: str | None
    url: str


class Started(Struct, frozen=True):
    """A job that was created, and the path of its result."""

    id: int
    url: str


class PipelinesApi(Controller):
    """`/pipelines`."""

    path = "/pipelines"
    tags = ("pipelines",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all(self, deck: AtDeck) -> Items[shapes.Pipeline]:
        """Every pipeline by name."""
        with deck.store.read() as conn:
            found = pipelines.all(conn)
        return Items([shapes.Pipeline.of(pipeline) for pipeline in found])

    @post(opt=OPERATOR, status_code=200, sync_to_thread=True)
    def register(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.Manifests]
    ) -> Items[shapes.Pipeline]:
        """Take in pipelines as their code defines them; changed ones get a new version."""
        found = actions.register(
            deck.store, actor, data.reason, data.pipelines, publish=data.publish
        )
        return Items([shapes.Pipeline.of(pipeline) for pipeline in found])

    @get("/{name:str}", opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck, name: FromPath[str]) -> shapes.Pipeline:
        """One pipeline."""
        with deck.store.read() as conn:
            return shapes.Pipeline.of(pipelines.get(conn, name))

    @post("/{name:str}/publish", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def publish(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Publish] = requests.NO_VERSION,
    ) -> shapes.Pipeline:
        """Let its jobs run that version, or the current one."""
        found = actions.publish(deck.store, actor, data.reason, name, version=data.version)
        return shapes.Pipeline.of(found)

    @post("/{name:str}/unpublish", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def unpublish(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> shapes.Pipeline:
        """Let no more of its jobs start."""
        return shapes.Pipeline.of(actions.unpublish(deck.store, actor, data.reason, name))

    @delete("/{name:str}", opt=ADMIN, sync_to_thread=True)
    def remove(self, deck: AtDeck, actor: By, name: FromPath[str], reason: Reason = "") -> None:
        """Take it away with its flows and schedules; its jobs remain to be seen."""
        actions.remove(deck.store, actor, reason, name)

    @post("/{name:str}/run", opt=OPERATOR, status_code=200)
    async def run(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Run] = requests.NO_CONTEXT,
        output: FromQuery[bool] = False,
        timeout: Annotated[  # noqa: ASYNC109  the caller's, of the whole call
            float, QueryParameter(description="Seconds to wait", ge=0, le=RUN_S)
        ] = RUN_S,
        key: IdempotencyKey = None,
    ) -> Response[Ran]:
        """Run it and wait for the end: 200; or 202 with its status when the time is up."""
        once = once_of(actor, key, f"/pipelines/{name}/run", data)
        job = await deck.run(lambda: _create(deck, actor, name, data, once))
        ended = await deck.waiting.ended(job.id, timeout)
        ran = await deck.run(lambda: _ran(deck, job.id, with_output=output))
        return Response(ran, status_code=200 if ended else 202)

    @post("/{name:str}/run/async", opt=OPERATOR, status_code=202, sync_to_thread=True)
    def run_async(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Run] = requests.NO_CONTEXT,
        key: IdempotencyKey = None,
    ) -> Response[Started]:
        """Run it, and answer at once with the job's id and the path of its result."""
        once = once_of(actor, key, f"/pipelines/{name}/run/async", data)
        job = _create(deck, actor, name, data, once)
        url = _result_path(deck, job.id)
        return Response(Started(job.id, url), status_code=202, headers={"Location": url})


def _create(deck: Deck, actor: By, name: str, data: requests.Run, once: Once | None) -> Job:
    with deck.store.read() as conn:
        pipelines.get(conn, name)
    item = EnqueueItem(flow=name, params=data.job_params, context=data.job_context or None)
    return job_actions.create(deck.store, actor, "", item, source="api", once=once)


def _result_path(deck: Deck, job_id: int) -> str:
    return deck.address(f"/api/v1/jobs/{job_id}/result")


def _ran(deck: Deck, job_id: int, *, with_output: bool) -> Ran:
    output = None
    with deck.store.read() as conn:
        job = jobs.get(conn, job_id)
        if with_output:
            lines = logs.of_job(conn, job_id, limit=OUTPUT_LINES).lines
            output = "".join(f"{line.message}\n" for line in lines)
    error = shapes.Error.of(job.error) if job.error else None
    return Ran(job.id, job.status, job.result, error, output, _result_path(deck, job.id))
