"""Working on a store: jobs, and the errors by which they fail."""

# ruff: noqa: D102  (`Client` says what each method does)

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobdeck.actions import error_groups as error_actions
from jobdeck.actions import hint_rules as hint_actions
from jobdeck.actions import jobs as job_actions
from jobdeck.actions import recovery as recovery_actions
from jobdeck.actions import views as view_actions
from jobdeck.client.in_store.base import InStoreBase
from jobdeck.domain import clock
from jobdeck.domain.bulk import Bulk
from jobdeck.domain.errors import NotFound
from jobdeck.domain.filters import JobFilter, LogFilter, Page
from jobdeck.domain.liveness import Recovery, Verdict
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import (
    ApiCall,
    Attempt,
    ErrorGroup,
    Event,
    FoundLine,
    HintRule,
    Job,
    JobFile,
    LogLine,
    Step,
    View,
)
from jobdeck.domain.states import Status
from jobdeck.domain.why import Why, why
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import (
    attempts,
    calls,
    counters,
    error_groups,
    events,
    facts,
    files,
    flows,
    hint_rules,
    jobs,
    log_search,
    logs,
    pipelines,
    queues,
    standing,
    steps,
    views,
)
from jobdeck.store.database import Store


class JobsInStore(InStoreBase):
    """The part of the backend that is about jobs, and the errors by which they fail."""

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

    def mute_error(self, group_id: int, reason: str) -> ErrorGroup:
        return error_actions.mute(self.store, self.actor, reason, group_id)

    def unmute_error(self, group_id: int, reason: str) -> ErrorGroup:
        return error_actions.unmute(self.store, self.actor, reason, group_id)

    def retry_error(self, group_id: int, reason: str) -> Bulk:
        return error_actions.retry(self.store, self.actor, reason, group_id)

    def views(self) -> list[View]:
        with self.store.read() as conn:
            return views.of(conn, self.actor.name)

    def save_view(self, name: str, filter_text: str, sort: str, reason: str) -> View:
        return view_actions.save(self.store, self.actor, reason, name, filter_text, sort)

    def rename_view(self, view_id: int, name: str, reason: str) -> View:
        return view_actions.rename(self.store, self.actor, reason, view_id, name)

    def delete_view(self, view_id: int, reason: str) -> None:
        view_actions.delete(self.store, self.actor, reason, view_id)

    def hints(self) -> list[HintRule]:
        with self.store.read() as conn:
            return hint_rules.all(conn)

    def add_hint(self, pattern: str, hint: str, link: str, reason: str) -> HintRule:
        return hint_actions.add(self.store, self.actor, reason, pattern, hint, link)

    def remove_hint(self, rule_id: int, reason: str) -> None:
        hint_actions.remove(self.store, self.actor, reason, rule_id)


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
