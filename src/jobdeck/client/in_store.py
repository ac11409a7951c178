"""What a client does when it works on a store: actions, and the store's reads."""

# ruff: noqa: D102  (`Client` says what each method does)

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from jobdeck.actions import bulk as bulk_actions
from jobdeck.actions import cleanup as cleanup_actions
from jobdeck.actions import error_groups as error_actions
from jobdeck.actions import export as export_actions
from jobdeck.actions import flows as flow_actions
from jobdeck.actions import hint_rules as hint_actions
from jobdeck.actions import items as item_actions
from jobdeck.actions import jobs as job_actions
from jobdeck.actions import pipelines as pipeline_actions
from jobdeck.actions import pools as pool_actions
from jobdeck.actions import queues as queue_actions
from jobdeck.actions import recovery as recovery_actions
from jobdeck.actions import schedules as schedule_actions
from jobdeck.actions.creation import Recipes
from jobdeck.actions.pools import Freed
from jobdeck.client import settings
from jobdeck.domain import clock, filtertext
from jobdeck.domain.bulk import Bulk, Item, Order
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.filters import JobFilter, LogFilter, Page
from jobdeck.domain.liveness import Recovery, Verdict
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import (
    ApiCall,
    Attempt,
    ErrorGroup,
    Event,
    Flow,
    FlowItem,
    FoundLine,
    HintRule,
    Job,
    JobFile,
    LogLine,
    Pipeline,
    Pool,
    Queue,
    Schedule,
    Step,
    Worker,
)
from jobdeck.domain.roles import Actor
from jobdeck.domain.serving import lives
from jobdeck.domain.states import Status
from jobdeck.domain.why import Why, why
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import (
    attempts,
    bulk,
    calls,
    counters,
    error_groups,
    events,
    facts,
    files,
    flows,
    hint_rules,
    items,
    jobs,
    log_search,
    logs,
    pipelines,
    pools,
    queues,
    schedules,
    standing,
    steps,
)
from jobdeck.store.database import Store


class InStore:
    """The backend over a store; see `Client` for what each method does."""

    def __init__(self, store: Store, actor: Actor) -> None:
        self.store = store
        self.actor = actor
        self._recipes = Recipes()

    # -- jobs --------------------------------------------------------------------------------

    def create(self, item: EnqueueItem, reason: str) -> Job:
        return job_actions.create(self.store, self.actor, reason, item)

    def create_many(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None, reason: str
    ) -> list[int]:
        return job_actions.create_many(
            self.store, self.actor, reason, items, recipes=self._recipes, manifest=manifest
        )

    def find(
        self, wanted: JobFilter, sort: Sequence[str], limit: int, cursor: str | None
    ) -> Page[Job]:
        with self.store.read() as conn:
            return jobs.find(conn, wanted, sort=sort, limit=limit, cursor=cursor, now=clock.now())

    def count(self, pipeline: str, flow: str, queue: str) -> dict[Status, int]:
        with self.store.read() as conn:
            return counters.totals(
                conn,
                pipeline_id=pipelines.get(conn, pipeline).id if pipeline else None,
                flow_id=flows.get(conn, flow).id if flow else None,
                queue_id=queues.get(conn, queue, clock.now()).id if queue else None,
            )

    def job(self, job_id: int) -> Job:
        with self.store.read() as conn:
            return jobs.get(conn, job_id)

    def wait(self, job_id: int, at_most_s: float) -> Job:
        deadline = time.monotonic() + at_most_s
        pause = 0.01
        while True:
            with self.store.read() as conn:
                status = jobs.statuses(conn, [job_id]).get(job_id)
                left = deadline - time.monotonic()
                if status is None or status.final or left <= 0:
                    return jobs.get(conn, job_id)
            time.sleep(min(pause, left))
            pause = min(pause * 1.2, 0.2)

    def bulk(
        self,
        order: Order,
        ids: Sequence[int] | None,
        text: str | None,
        dry_run: bool,
        reason: str,
    ) -> Bulk:
        return bulk_actions.ask(
            *(self.store, self.actor, reason, order), ids=ids, text=text, dry_run=dry_run
        )

    def bulk_items(self, job_id: int, after: int, outcome: str, limit: int) -> list[Item]:
        with self.store.read() as conn:
            jobs.get(conn, job_id)
            return bulk.items(conn, job_id, after=after, outcome=outcome, limit=limit)

    def export(self, text: str, format_: str, reason: str) -> Job:
        wanted = filtertext.parse(text, clock.now())
        return export_actions.start(
            self.store, self.actor, reason, format_=format_, wanted=wanted, text=text
        )

    def cleanup(self, dry_run: bool, reason: str) -> Job:
        keep = settings.read().keep()
        return cleanup_actions.start(self.store, self.actor, reason, keep, dry_run=dry_run)

    @contextmanager
    def own_work(self) -> Iterator[None]:
        with self.store.read() as conn:
            known = pools.all(conn, builtin=True)
        if any(pool.builtin and lives(pool, clock.now()) for pool in known):
            yield
            return
        from jobdeck.engine.housework import Housework

        housework = Housework(self.store)
        housework.start()
        try:
            yield
        finally:
            housework.stop()

    def why(self, job_id: int) -> Why:
        with self.store.read() as conn:
            return why(facts.gather(conn, job_id, clock.now()))

    def steps(self, job_id: int) -> list[Step]:
        with self.store.read() as conn:
            job = jobs.get(conn, job_id)
            try:
                manifest = pipelines.get(conn, job.pipeline).manifest
            except NotFound:
                manifest = None
            return steps.of_job(conn, job, manifest)

    def attempts(self, job_id: int) -> list[Attempt]:
        with self.store.read() as conn:
            return attempts.of_job(conn, jobs.get(conn, job_id))

    def events(self, job_id: int) -> list[Event]:
        with self.store.read() as conn:
            return events.of_job(conn, jobs.get(conn, job_id))

    def calls(self, job_id: int, after: int) -> list[ApiCall]:
        with self.store.read() as conn:
            jobs.get(conn, job_id)
            return calls.of_job(conn, job_id, after=after)

    def logs(
        self, job_id: int, after: int, level: str, q: str, attempt: int | None, limit: int
    ) -> list[LogLine]:
        lines: list[LogLine] = []
        wanted: dict[str, Any] = {"level": level, "q": q, "attempt": attempt}
        place: int | None = after
        while place is not None and len(lines) < limit:
            with self.store.read() as conn:
                jobs.get(conn, job_id)
                left = limit - len(lines)
                found = logs.of_job(conn, job_id, after=place, limit=left, **wanted)
            lines += found.lines
            place = found.looked_to
        return lines

    def files(self, job_id: int) -> list[JobFile]:
        with self.store.read() as conn:
            jobs.get(conn, job_id)
            return files.of_job(conn, job_id)

    def file(self, job_id: int, name: str) -> bytes:
        return kept_file(self.store, job_id, name).read_bytes()

    def stop(self, job_id: int, reason: str) -> Job:
        return job_actions.stop(self.store, self.actor, reason, job_id)

    def kill(self, job_id: int, reason: str) -> Job:
        return job_actions.kill(self.store, self.actor, reason, job_id)

    def finish(self, job_id: int, as_: str, reason: str) -> Job:
        return job_actions.finish(self.store, self.actor, reason, job_id, as_=as_)

    def stuck(self, stale_s: float, limit: int) -> list[Verdict]:
        with self.store.read() as conn:
            return standing.stuck(conn, clock.now(), stale_s, limit)

    def recover(self, dry_run: bool, stale_s: float, reason: str) -> Recovery:
        return recovery_actions.recover(
            self.store, self.actor, reason, dry_run=dry_run, stale_s=stale_s
        )

    def retry(self, job_id: int, from_: str, reason: str) -> Job:
        return job_actions.retry(self.store, self.actor, reason, job_id, from_=from_)

    def run_again(self, job_id: int, params: Mapping[str, Any], reason: str) -> Job:
        return job_actions.run_again(self.store, self.actor, reason, job_id, dict(params))

    def delete(self, job_id: int, reason: str) -> None:
        job_actions.delete(self.store, self.actor, reason, job_id)

    def search_logs(self, wanted: LogFilter, limit: int, cursor: str | None) -> Page[FoundLine]:
        with self.store.read() as conn:
            return log_search.find(conn, wanted, limit=limit, cursor=cursor)

    # -- errors ------------------------------------------------------------------------------

    def errors(
        self, state: str, flow: str, q: str, limit: int, cursor: str | None
    ) -> Page[ErrorGroup]:
        with self.store.read() as conn:
            return error_groups.find(
                conn, now=clock.now(), state=state, flow=flow, q=q, limit=limit, cursor=cursor
            )

    def error(self, group_id: int) -> ErrorGroup:
        with self.store.read() as conn:
            return error_groups.get(conn, group_id, clock.now())

    def resolve_error(self, group_id: int, reason: str) -> ErrorGroup:
        return error_actions.resolve(self.store, self.actor, reason, group_id)

    def reopen_error(self, group_id: int, reason: str) -> ErrorGroup:
        return error_actions.reopen(self.store, self.actor, reason, group_id)

    def retry_error(self, group_id: int, reason: str) -> Bulk:
        return error_actions.retry(self.store, self.actor, reason, group_id)

    def hints(self) -> list[HintRule]:
        with self.store.read() as conn:
            return hint_rules.all(conn)

    def add_hint(self, pattern: str, hint: str, link: str, reason: str) -> HintRule:
        return hint_actions.add(self.store, self.actor, reason, pattern, hint, link)

    def remove_hint(self, rule_id: int, reason: str) -> None:
        hint_actions.remove(self.store, self.actor, reason, rule_id)

    # -- pipelines and flows -----------------------------------------------------------------

    def pipelines(self) -> list[Pipeline]:
        with self.store.read() as conn:
            return pipelines.all(conn)

    def pipeline(self, name: str) -> Pipeline:
        with self.store.read() as conn:
            return pipelines.get(conn, name)

    def register(
        self, manifests: Sequence[PipelineManifest], publish: bool, reason: str
    ) -> list[Pipeline]:
        return pipeline_actions.register(self.store, self.actor, reason, manifests, publish=publish)

    def publish(self, name: str, version: int | None, reason: str) -> Pipeline:
        return pipeline_actions.publish(self.store, self.actor, reason, name, version=version)

    def unpublish(self, name: str, reason: str) -> Pipeline:
        return pipeline_actions.unpublish(self.store, self.actor, reason, name)

    def remove_pipeline(self, name: str, reason: str) -> None:
        pipeline_actions.remove(self.store, self.actor, reason, name)

    def flows(self, pipeline: str) -> list[Flow]:
        with self.store.read() as conn:
            return flows.all(conn, pipeline)

    def flow(self, name: str) -> Flow:
        with self.store.read() as conn:
            return flows.get(conn, name)

    def check_flow(self, name: str, params: Mapping[str, Any]) -> dict[str, str]:
        with self.store.read() as conn:
            return flows.check(conn, name, params)

    def add_flow(self, name: str, pipeline: str, settings: Mapping[str, Any], reason: str) -> Flow:
        return flow_actions.add(self.store, self.actor, reason, name, pipeline, **settings)

    def edit_flow(self, name: str, changes: Mapping[str, Any], reason: str) -> Flow:
        return flow_actions.edit(self.store, self.actor, reason, name, dict(changes))

    def remove_flow(self, name: str, reason: str) -> None:
        flow_actions.remove(self.store, self.actor, reason, name)

    def items(
        self,
        flow: str,
        source: str | None,
        item: str,
        state: str,
        limit: int,
        cursor: str | None,
    ) -> Page[FlowItem]:
        with self.store.read() as conn:
            return items.find(
                *(conn, flows.get(conn, flow).id, clock.now()),
                source=source,
                item=item,
                state=state,
                limit=limit,
                cursor=cursor,
            )

    def count_items(self, flow: str) -> tuple[dict[str, int], bool]:
        with self.store.read() as conn:
            return items.count(conn, flows.get(conn, flow).id, clock.now())

    def forget_items(self, flow: str, source: str | None, item: str, reason: str) -> int:
        return item_actions.forget(self.store, self.actor, reason, flow, source=source, item=item)

    # -- queues, schedules, pools ------------------------------------------------------------

    def queues(self) -> list[Queue]:
        with self.store.read() as conn:
            return queues.all(conn, clock.now())

    def pause_queue(self, name: str, reason: str) -> list[Queue]:
        return queue_actions.pause(self.store, self.actor, reason, name)

    def resume_queue(self, name: str, reason: str) -> list[Queue]:
        return queue_actions.resume(self.store, self.actor, reason, name)

    def limit_queue(self, name: str, changes: Mapping[str, Any], reason: str) -> Queue:
        return queue_actions.limit(self.store, self.actor, reason, name, changes)

    def stop_queue(self, name: str, reason: str) -> dict[str, int]:
        return queue_actions.stop(self.store, self.actor, reason, name).queues

    def schedules(self, flow: str) -> list[Schedule]:
        with self.store.read() as conn:
            return schedules.all(conn, flow)

    def schedule(self, schedule_id: int) -> Schedule:
        with self.store.read() as conn:
            return schedules.get(conn, schedule_id)

    def add_schedule(self, flow: str, settings: Mapping[str, Any], reason: str) -> Schedule:
        return schedule_actions.add(self.store, self.actor, reason, flow, **settings)

    def edit_schedule(self, schedule_id: int, changes: Mapping[str, Any], reason: str) -> Schedule:
        return schedule_actions.edit(self.store, self.actor, reason, schedule_id, dict(changes))

    def remove_schedule(self, schedule_id: int, reason: str) -> None:
        schedule_actions.remove(self.store, self.actor, reason, schedule_id)

    def pause_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        return schedule_actions.pause(self.store, self.actor, reason, schedule_id)

    def resume_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        return schedule_actions.resume(self.store, self.actor, reason, schedule_id)

    def next_ticks(self, schedule_id: int, count: int) -> list[Micros]:
        with self.store.read() as conn:
            times = schedules.times(schedules.get(conn, schedule_id))
        return list(islice(times.ticks(clock.now()), count))

    def run_schedule(self, schedule_id: int, reason: str) -> Job:
        return schedule_actions.run(self.store, self.actor, reason, schedule_id)

    def pools(self) -> list[Pool]:
        with self.store.read() as conn:
            return pools.all(conn)

    def workers(self, pool_id: int | None) -> list[Worker]:
        with self.store.read() as conn:
            return pools.list_workers(conn, pool_id)

    def free(self, worker_id: int | None, reason: str) -> list[Freed]:
        return pool_actions.free(self.store, self.actor, reason, worker_id)

    def drain(self, pool_id: int, reason: str) -> Pool:
        return pool_actions.drain(self.store, self.actor, reason, pool_id)

    def close(self) -> None:
        self.store.close()


def kept_file(store: Store, job_id: int, name: str) -> Path:
    """Where the bytes of a job's file lie.

    Raises:
        NotFound: the job has no such file, or its bytes are gone.
    """
    with store.read() as conn:
        jobs.get(conn, job_id)
        file = files.get(conn, job_id, name)
    folder = store.files.resolve()
    path = (folder / file.path).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFound("file", name, "Its bytes are not in the store's folder of files any more.")
    return path
