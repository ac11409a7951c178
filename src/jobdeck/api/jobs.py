"""Calls about jobs: listing, counting, creating, stopping, retrying, deleting them."""

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct

from jobdeck.actions import jobs as actions
from jobdeck.actions import recovery
from jobdeck.api.kinds import (
    Cursor,
    IdempotencyKey,
    Items,
    Limit,
    Reason,
    Sort,
    StaleAfter,
    Wait,
    Wanted,
    job_filter,
    once_of,
)
from jobdeck.client import answers, requests, shapes
from jobdeck.client.shaping import when
from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import PAGE
from jobdeck.domain.liveness import STALE_S
from jobdeck.domain.records import Job
from jobdeck.domain.uniqueness import Kept
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import counters, flows, jobs, pipelines, queues, standing


def shape(job: Job) -> shapes.Job:
    """The JSON of a job as it is now."""
    return shapes.Job.at(job, clock.now())


class CreatedJobs(Struct, frozen=True):
    """The ids of the jobs, in the order in which they were given; `kept` are the places in that
    list, from 0, of those that were there already."""

    ids: list[int]
    kept: list[int]

    @classmethod
    def of(cls, ids: list[int]) -> "CreatedJobs":
        """The answer that tells of these numbers."""
        return cls(list(map(int, ids)), [n for n, each in enumerate(ids) if isinstance(each, Kept)])


class JobsApi(Controller):
    """`/jobs` and `/jobs/{id}`."""

    path = "/jobs"
    tags = ("jobs",)

    @get(
        opt=VIEWER,
        sync_to_thread=True,
        dependencies={"wanted": Provide(job_filter, sync_to_thread=False)},
    )
    def list(
        self,
        deck: AtDeck,
        wanted: Wanted,
        sort: Sort = "-id",
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> shapes.Jobs:
        """List jobs, the newest first unless sorted otherwise.

        A call looks at a bounded number of jobs: a search may answer with few items, or none,
        and `next`, and tells with `searched_to` how far back it has looked. Sorted otherwise
        than by `id` or `created`, the newest 10,000 come first, then those before them.
        """
        keys = [key.strip() for key in sort.split(",") if key.strip()] or ["-id"]
        now = clock.now()
        with deck.store.read() as conn:
            page = jobs.find(conn, wanted, sort=keys, limit=limit, cursor=cursor, now=now)
        items = [shapes.Job.at(job, now) for job in page.items]
        return shapes.Jobs(items, page.next, when(page.searched_to), page.prev)

    @get("/count", opt=VIEWER, sync_to_thread=True)
    def count(
        self,
        deck: AtDeck,
        pipeline: FromQuery[str] = "",
        flow: FromQuery[str] = "",
        queue: FromQuery[str] = "",
    ) -> dict[str, int]:
        """The number of jobs in every status, from counters: the same at any number of jobs."""
        now = clock.now()
        with deck.store.read() as conn:
            found = counters.totals(
                conn,
                pipeline_id=pipelines.get(conn, pipeline).id if pipeline else None,
                flow_id=flows.get(conn, flow).id if flow else None,
                queue_id=queues.get(conn, queue, now).id if queue else None,
            )
        return {status.value: number for status, number in found.items()}

    @get("/stuck", opt=VIEWER, sync_to_thread=True)
    def stuck(
        self, deck: AtDeck, stale_s: StaleAfter = STALE_S, limit: Limit = PAGE
    ) -> Items[answers.Verdict]:
        """Jobs that do not get on, each with its kind and why: without a pool, overdue, not woken
        by their children, or not heard of for `stale_s` seconds."""
        with deck.store.read() as conn:
            found = standing.stuck(conn, clock.now(), stale_s, limit)
        return Items([answers.Verdict.of(each) for each in found])

    @post("/recover", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def recover(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.Recover] = requests.RECOVER
    ) -> answers.Recovery:
        """Get stuck jobs on without touching any that lives; with `dry_run` only say how."""
        found = recovery.recover(
            deck.store, actor, data.reason, dry_run=data.dry_run, stale_s=data.stale_s
        )
        return answers.Recovery.of(found)

    @get("/{job_id:int}", opt=VIEWER)
    async def show(self, deck: AtDeck, job_id: FromPath[int], wait: Wait = 0) -> shapes.Job:
        """One job; with `wait` as it is when it has ended, or when the time is up."""
        job = await deck.run(lambda: _get(deck, job_id))
        if wait and not job.status.final:
            await deck.waiting.ended(job_id, wait)
            job = await deck.run(lambda: _get(deck, job_id))
        return shape(job)

    @post("/{job_id:int}/stop", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def stop(
        self,
        deck: AtDeck,
        actor: By,
        job_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
        reason: Reason = "",
    ) -> shapes.Job:
        """Stop a job and its tree: at once while it waits; a running one is asked to, and
        killed if it has not ended by itself after the grace time."""
        return shape(actions.stop(deck.store, actor, data.reason or reason, job_id))

    @post("/{job_id:int}/kill", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def kill(
        self,
        deck: AtDeck,
        actor: By,
        job_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
        reason: Reason = "",
    ) -> shapes.Job:
        """Stop a job and its tree without giving it time to end by itself."""
        return shape(actions.kill(deck.store, actor, data.reason or reason, job_id))

    @post("/{job_id:int}/finish", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def finish(
        self, deck: AtDeck, actor: By, job_id: FromPath[int], data: JSONBody[requests.Finish]
    ) -> shapes.Job:
        """End a running job by force, as failed or stopped: at once, whatever its worker says
        afterwards."""
        return shape(actions.finish(deck.store, actor, data.reason, job_id, as_=data.as_))

    @post("/{job_id:int}/retry", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def retry(
        self,
        deck: AtDeck,
        actor: By,
        job_id: FromPath[int],
        data: JSONBody[requests.Retry] = requests.NO_RETRY,
        reason: Reason = "",
    ) -> shapes.Job:
        """Try a failed or stopped job once more, from the failed step or from the start."""
        why = data.reason or reason
        return shape(actions.retry(deck.store, actor, why, job_id, from_=data.from_))

    @post("/{job_id:int}/run-again", opt=OPERATOR, status_code=202, sync_to_thread=True)
    def run_again(
        self,
        deck: AtDeck,
        actor: By,
        job_id: FromPath[int],
        data: JSONBody[requests.RunAgain] = requests.NO_CHANGES,
        key: IdempotencyKey = None,
    ) -> Response[shapes.Job]:
        """Create a new job like this one, with some of its parameters changed."""
        once = once_of(actor, key, f"/jobs/{job_id}/run-again", data)
        job = actions.run_again(deck.store, actor, data.reason, job_id, data.params, once=once)
        return created(deck, job)

    @post("/batch", opt=OPERATOR, status_code=201, sync_to_thread=True)
    def create_many(
        self,
        deck: AtDeck,
        actor: By,
        data: JSONBody[requests.NewItems],
        key: IdempotencyKey = None,
    ) -> CreatedJobs:
        """Create many jobs, all or none of those that do not fit; gives their ids in order. With
        unique keys all of them are created at once, or none."""
        items = [
            EnqueueItem(
                flow=item.flow,
                params=item.params,
                context=item.context,
                priority=item.priority,
                run_at=_time(item.run_at, f"items[{index}].run_at"),
                unique=item.wish(),
                parent=item.parent,
            )
            for index, item in enumerate(data.items)
        ]
        ids = actions.create_many(
            *(deck.store, actor, data.reason, items),
            recipes=deck.recipes,
            manifest=data.manifest,
            once=once_of(actor, key, "/jobs/batch", data),
        )
        return CreatedJobs.of(ids)

    @delete("/{job_id:int}", opt=OPERATOR, sync_to_thread=True)
    def delete(self, deck: AtDeck, actor: By, job_id: FromPath[int], reason: Reason = "") -> None:
        """Delete an ended job with all that was recorded of it."""
        actions.delete(deck.store, actor, reason, job_id)


class FlowJobsApi(Controller):
    """`/flows/{flow}/jobs`."""

    path = "/flows/{flow:str}/jobs"
    tags = ("jobs",)

    @post(opt=OPERATOR, status_code=202)
    async def create(
        self,
        deck: AtDeck,
        actor: By,
        flow: FromPath[str],
        data: JSONBody[requests.NewJob] = requests.NO_PARAMS,
        wait: Wait = 0,
        key: IdempotencyKey = None,
    ) -> Response[shapes.Job]:
        """Create a job of a flow: 202 with the job. With `wait`: 200 with the ended job, or 202
        when the time is up. 409 if another one has the `unique_key`, or 202 with that one and
        `kept` if it is to be kept."""
        item = EnqueueItem(
            flow=flow,
            params=data.params,
            context=data.context,
            priority=data.priority,
            run_at=_time(data.run_at, "run_at"),
            unique=data.wish(),
        )
        once = once_of(actor, key, f"/flows/{flow}/jobs", data)
        job = await deck.run(
            lambda: actions.create(deck.store, actor, data.reason, item, source="api", once=once)
        )
        if await deck.waiting.ended(job.id, wait):
            job = await deck.run(lambda: _again(deck, job))
            return Response(shape(job), status_code=200)
        if wait:
            job = await deck.run(lambda: _again(deck, job))
        return created(deck, job)


def created(deck: Deck, job: Job) -> Response[shapes.Job]:
    """202 with the new job and its address."""
    headers = {"Location": deck.address(f"/api/v1/jobs/{job.id}")}
    return Response(shape(job), status_code=202, headers=headers)


def _time(text: str | None, field: str) -> Micros | None:
    return None if text is None else clock.from_iso(text, field)


def _again(deck: Deck, job: Job) -> Job:
    """The job as it is by now."""
    return msgspec.structs.replace(_get(deck, job.id), kept=job.kept)


def _get(deck: Deck, job_id: int) -> Job:
    with deck.store.read() as conn:
        return jobs.get(conn, job_id)
