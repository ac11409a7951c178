"""What a client does when it works on a server: calls to its API."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from jobdeck.actions.pools import Freed
from jobdeck.client import answers, requests, shapes
from jobdeck.client.http_transport import TIMEOUT_S, Connection, HttpTransport, wished
from jobdeck.domain import clock, filtertext
from jobdeck.domain.bulk import Bulk, Item, Order
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
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
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import Status
from jobdeck.domain.why import Why
from jobdeck.sdk.transport import EnqueueItem


class _Items(Struct):
    items: list[msgspec.Raw]
    next: int | str | None = None


class _Stopped(Struct):
    queues: dict[str, int]


class OverHttp:
    """The backend over a server; see `Client` for what each method does."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport = HttpTransport(connection)

    def _one(
        self,
        method: str,
        path: str,
        shape: type[shapes.Shape],
        *,
        query: Mapping[str, Any] | None = None,
        body: Struct | None = None,
    ) -> Any:
        return self.connection.call(method, path, shape, query=query, body=body).record()

    def _all(
        self,
        method: str,
        path: str,
        shape: type[shapes.Shape],
        *,
        query: Mapping[str, Any] | None = None,
        body: Struct | None = None,
    ) -> list[Any]:
        found = self.connection.call(method, path, _Items, query=query, body=body)
        return [msgspec.json.decode(item, type=shape).record() for item in found.items]

    # -- jobs --------------------------------------------------------------------------------

    def create(self, item: EnqueueItem, reason: str) -> Job:
        body = requests.NewJob(
            params=item.params,
            context=item.context,
            priority=item.priority,
            run_at=None if item.run_at is None else clock.to_datetime(item.run_at).isoformat(),
            reason=reason,
            **wished(item),
        )
        job: Job = self._one("POST", f"/flows/{_part(item.flow)}/jobs", shapes.Job, body=body)
        return job

    def create_many(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None, reason: str
    ) -> list[int]:
        return self._transport.enqueue(items, manifest, reason=reason)

    def find(
        self, wanted: JobFilter, sort: Sequence[str], limit: int, cursor: str | None
    ) -> Page[Job]:
        query = {
            "q": filtertext.format(wanted),
            "sort": ",".join(sort),
            "limit": limit,
            "cursor": cursor,
        }
        page = self.connection.call("GET", "/jobs", shapes.Jobs, query=query)
        items = [item.record() for item in page.items]
        return Page(items, page.next, shapes.micros(page.searched_to), page.prev)

    def count(self, pipeline: str, flow: str, queue: str) -> dict[Status, int]:
        query = {"pipeline": pipeline, "flow": flow, "queue": queue}
        return self.connection.call("GET", "/jobs/count", dict[Status, int], query=query)

    def job(self, job_id: int) -> Job:
        job: Job = self._one("GET", f"/jobs/{job_id}", shapes.Job)
        return job

    def bulk(
        self,
        order: Order,
        ids: Sequence[int] | None,
        text: str | None,
        dry_run: bool,
        reason: str,
    ) -> Bulk:
        body = requests.Bulk(
            action=order.action,
            ids=None if ids is None else list(ids),
            filter=text,
            from_=order.from_,
            priority=order.priority,
            queue=order.queue,
            dry_run=dry_run,
            reason=reason,
        )
        told = self.connection.call("POST", "/jobs/bulk", msgspec.Raw, body=body)
        return _bulk(told, order.action, len(ids or ()))

    def bulk_items(self, job_id: int, after: int, outcome: str, limit: int) -> list[Item]:
        query = {"after": after, "outcome": outcome, "limit": limit}
        return self._all("GET", f"/jobs/{job_id}/items", answers.BulkItem, query=query)

    def export(self, text: str, format_: str, reason: str) -> Job:
        body = requests.Export(filter=text, format=format_, reason=reason)
        job: Job = self._one("POST", "/jobs/export", shapes.Job, body=body)
        return job

    def cleanup(self, dry_run: bool, reason: str) -> Job:
        body = requests.Cleanup(dry_run=dry_run, reason=reason)
        job: Job = self._one("POST", "/cleanup", shapes.Job, body=body)
        return job

    def own_work(self) -> AbstractContextManager[None]:
        # The server's maintenance does it.
        return nullcontext()

    def wait(self, job_id: int, at_most_s: float) -> Job:
        found = self.connection.call(
            "GET",
            f"/jobs/{job_id}",
            shapes.Job,
            query={"wait": at_most_s},
            timeout_s=at_most_s + TIMEOUT_S,
        )
        job: Job = found.record()
        return job

    def why(self, job_id: int) -> Why:
        found: Why = self._one("GET", f"/jobs/{job_id}/why", answers.Why)
        return found

    def steps(self, job_id: int) -> list[Step]:
        return self._all("GET", f"/jobs/{job_id}/steps", shapes.Step)

    def attempts(self, job_id: int) -> list[Attempt]:
        return self._all("GET", f"/jobs/{job_id}/attempts", shapes.Attempt)

    def events(self, job_id: int) -> list[Event]:
        return self._all("GET", f"/jobs/{job_id}/events", shapes.Event)

    def calls(self, job_id: int, after: int) -> list[ApiCall]:
        return self._all("GET", f"/jobs/{job_id}/calls", shapes.Call, query={"after": after})

    def logs(
        self, job_id: int, after: int, level: str, q: str, attempt: int | None, limit: int
    ) -> list[LogLine]:
        query = {"level": level, "q": q, "attempt": attempt}
        lines: list[LogLine] = []
        place: int | None = after
        while place is not None and len(lines) < limit:
            more = {**query, "after": place, "limit": limit - len(lines)}
            found = self.connection.call("GET", f"/jobs/{job_id}/logs", _Items, query=more)
            lines += [msgspec.json.decode(i, type=shapes.LogLine).record() for i in found.items]
            place = found.next if isinstance(found.next, int) else None
        return lines

    def files(self, job_id: int) -> list[JobFile]:
        return self._all("GET", f"/jobs/{job_id}/files", shapes.File)

    def file(self, job_id: int, name: str) -> bytes:
        return self.connection.send("GET", f"/jobs/{job_id}/files/{quote(name)}")

    def stop(self, job_id: int, reason: str) -> Job:
        return self._job(f"/jobs/{job_id}/stop", requests.Why(reason=reason))

    def kill(self, job_id: int, reason: str) -> Job:
        return self._job(f"/jobs/{job_id}/kill", requests.Why(reason=reason))

    def finish(self, job_id: int, as_: str, reason: str) -> Job:
        return self._job(f"/jobs/{job_id}/finish", requests.Finish(as_=as_, reason=reason))

    def stuck(self, stale_s: float, limit: int) -> list[Verdict]:
        query = {"stale_s": stale_s, "limit": limit}
        return self._all("GET", "/jobs/stuck", answers.Verdict, query=query)

    def recover(self, dry_run: bool, stale_s: float, reason: str) -> Recovery:
        body = requests.Recover(dry_run=dry_run, stale_s=stale_s, reason=reason)
        return self.connection.call("POST", "/jobs/recover", answers.Recovery, body=body).record()

    def retry(self, job_id: int, from_: str, reason: str) -> Job:
        return self._job(f"/jobs/{job_id}/retry", requests.Retry(from_=from_, reason=reason))

    def run_again(self, job_id: int, params: Mapping[str, Any], reason: str) -> Job:
        body = requests.RunAgain(params=dict(params), reason=reason)
        return self._job(f"/jobs/{job_id}/run-again", body)

    def _job(self, path: str, body: Struct) -> Job:
        job: Job = self._one("POST", path, shapes.Job, body=body)
        return job

    def delete(self, job_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/jobs/{job_id}", query={"reason": reason})

    def search_logs(self, wanted: LogFilter, limit: int, cursor: str | None) -> Page[FoundLine]:
        query = {
            **msgspec.structs.asdict(wanted),
            "after": _time(wanted.after),
            "before": _time(wanted.before),
            "limit": limit,
            "cursor": cursor,
        }
        return self.connection.call("GET", "/logs", answers.FoundLines, query=query).page()

    # -- errors ------------------------------------------------------------------------------

    def errors(
        self, state: str, flow: str, q: str, limit: int, cursor: str | None
    ) -> Page[ErrorGroup]:
        query = {"state": state, "flow": flow, "q": q, "limit": limit, "cursor": cursor}
        return self.connection.call("GET", "/errors", answers.ErrorGroups, query=query).page()

    def error(self, group_id: int) -> ErrorGroup:
        found: ErrorGroup = self._one("GET", f"/errors/{group_id}", answers.ErrorGroup)
        return found

    def resolve_error(self, group_id: int, reason: str) -> ErrorGroup:
        return self._of_error(group_id, "resolve", reason)

    def reopen_error(self, group_id: int, reason: str) -> ErrorGroup:
        return self._of_error(group_id, "reopen", reason)

    def _of_error(self, group_id: int, deed: str, reason: str) -> ErrorGroup:
        path, body = f"/errors/{group_id}/{deed}", requests.Why(reason=reason)
        found: ErrorGroup = self._one("POST", path, answers.ErrorGroup, body=body)
        return found

    def retry_error(self, group_id: int, reason: str) -> Bulk:
        path, body = f"/errors/{group_id}/retry", requests.Why(reason=reason)
        return _bulk(self.connection.call("POST", path, msgspec.Raw, body=body), "retry", 0)

    def hints(self) -> list[HintRule]:
        return self._all("GET", "/hints", answers.HintRule)

    def add_hint(self, pattern: str, hint: str, link: str, reason: str) -> HintRule:
        body = requests.NewHint(pattern=pattern, hint=hint, link=link, reason=reason)
        made: HintRule = self._one("POST", "/hints", answers.HintRule, body=body)
        return made

    def remove_hint(self, rule_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/hints/{rule_id}", query={"reason": reason})

    # -- pipelines and flows -----------------------------------------------------------------

    def pipelines(self) -> list[Pipeline]:
        return self._all("GET", "/pipelines", shapes.Pipeline)

    def pipeline(self, name: str) -> Pipeline:
        pipeline: Pipeline = self._one("GET", f"/pipelines/{_part(name)}", shapes.Pipeline)
        return pipeline

    def register(
        self, manifests: Sequence[PipelineManifest], publish: bool, reason: str
    ) -> list[Pipeline]:
        body = requests.Manifests(pipelines=list(manifests), publish=publish, reason=reason)
        return self._all("POST", "/pipelines", shapes.Pipeline, body=body)

    def publish(self, name: str, version: int | None, reason: str) -> Pipeline:
        body = requests.Publish(version=version, reason=reason)
        path = f"/pipelines/{_part(name)}/publish"
        pipeline: Pipeline = self._one("POST", path, shapes.Pipeline, body=body)
        return pipeline

    def unpublish(self, name: str, reason: str) -> Pipeline:
        path, body = f"/pipelines/{_part(name)}/unpublish", requests.Why(reason=reason)
        pipeline: Pipeline = self._one("POST", path, shapes.Pipeline, body=body)
        return pipeline

    def remove_pipeline(self, name: str, reason: str) -> None:
        self.connection.send("DELETE", f"/pipelines/{_part(name)}", query={"reason": reason})

    def flows(self, pipeline: str) -> list[Flow]:
        return self._all("GET", "/flows", shapes.Flow, query={"pipeline": pipeline})

    def flow(self, name: str) -> Flow:
        flow: Flow = self._one("GET", f"/flows/{_part(name)}", shapes.Flow)
        return flow

    def check_flow(self, name: str, params: Mapping[str, Any]) -> dict[str, str]:
        query = {"params": msgspec.json.encode(params).decode()}
        path = f"/flows/{_part(name)}/check"
        return self.connection.call("GET", path, answers.Check, query=query).problems

    def add_flow(self, name: str, pipeline: str, settings: Mapping[str, Any], reason: str) -> Flow:
        values = {key: value for key, value in settings.items() if value not in (None, "")}
        body = requests.NewFlow(name=name, pipeline=pipeline, **_rule(values), reason=reason)
        flow: Flow = self._one("POST", "/flows", shapes.Flow, body=body)
        return flow

    def edit_flow(self, name: str, changes: Mapping[str, Any], reason: str) -> Flow:
        body = _changes(requests.FlowChanges, _rule(changes), reason)
        flow: Flow = self._one("PATCH", f"/flows/{_part(name)}", shapes.Flow, body=body)
        return flow

    def remove_flow(self, name: str, reason: str) -> None:
        self.connection.send("DELETE", f"/flows/{_part(name)}", query={"reason": reason})

    def items(
        self,
        flow: str,
        source: str | None,
        item: str,
        state: str,
        limit: int,
        cursor: str | None,
    ) -> Page[FlowItem]:
        query = {**_source(source), "item": item, "state": state, "limit": limit, "cursor": cursor}
        path = f"/flows/{_part(flow)}/items"
        page = self.connection.call("GET", path, answers.FlowItems, query=query)
        return Page([each.record() for each in page.items], page.next, None)

    def count_items(self, flow: str) -> tuple[dict[str, int], bool]:
        path = f"/flows/{_part(flow)}/items/count"
        found = msgspec.to_builtins(self.connection.call("GET", path, answers.ItemCounts))
        more = found.pop("more")
        return found, more

    def forget_items(self, flow: str, source: str | None, item: str, reason: str) -> int:
        path = f"/flows/{_part(flow)}/items"
        query = {**_source(source), "item": item, "reason": reason}
        found = self.connection.call("DELETE", path, answers.Forgotten, query=query, timeout_s=600)
        return found.items

    # -- queues, schedules, pools ------------------------------------------------------------

    def queues(self) -> list[Queue]:
        return self._all("GET", "/queues", shapes.Queue)

    def pause_queue(self, name: str, reason: str) -> list[Queue]:
        body = requests.Why(reason=reason)
        return self._all("POST", f"/queues/{_part(name)}/pause", shapes.Queue, body=body)

    def resume_queue(self, name: str, reason: str) -> list[Queue]:
        body = requests.Why(reason=reason)
        return self._all("POST", f"/queues/{_part(name)}/resume", shapes.Queue, body=body)

    def limit_queue(self, name: str, changes: Mapping[str, Any], reason: str) -> Queue:
        body = _changes(requests.QueueLimits, changes, reason)
        queue: Queue = self._one("PATCH", f"/queues/{_part(name)}", shapes.Queue, body=body)
        return queue

    def stop_queue(self, name: str, reason: str) -> dict[str, int]:
        path, body = f"/queues/{_part(name)}/stop", requests.Why(reason=reason)
        return self.connection.call("POST", path, _Stopped, body=body, timeout_s=600).queues

    def schedules(self, flow: str) -> list[Schedule]:
        return self._all("GET", "/schedules", shapes.Schedule, query={"flow": flow})

    def schedule(self, schedule_id: int) -> Schedule:
        found: Schedule = self._one("GET", f"/schedules/{schedule_id}", shapes.Schedule)
        return found

    def add_schedule(self, flow: str, settings: Mapping[str, Any], reason: str) -> Schedule:
        values = {key: value for key, value in settings.items() if value not in (None, "")}
        body = requests.NewSchedule(flow=flow, **_written(values), reason=reason)
        made: Schedule = self._one("POST", "/schedules", shapes.Schedule, body=body)
        return made

    def edit_schedule(self, schedule_id: int, changes: Mapping[str, Any], reason: str) -> Schedule:
        body = _changes(requests.ScheduleChanges, _written(changes), reason)
        made: Schedule = self._one("PATCH", f"/schedules/{schedule_id}", shapes.Schedule, body=body)
        return made

    def remove_schedule(self, schedule_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/schedules/{schedule_id}", query={"reason": reason})

    def pause_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        path, body = f"/schedules/{_number(schedule_id)}/pause", requests.Why(reason=reason)
        return self._all("POST", path, shapes.Schedule, body=body)

    def resume_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        path, body = f"/schedules/{_number(schedule_id)}/resume", requests.Why(reason=reason)
        return self._all("POST", path, shapes.Schedule, body=body)

    def next_ticks(self, schedule_id: int, count: int) -> list[Micros]:
        path, query = f"/schedules/{schedule_id}/next", {"count": count}
        found = self.connection.call("GET", path, shapes.Ticks, query=query)
        return [clock.from_datetime(tick) for tick in found.ticks]

    def run_schedule(self, schedule_id: int, reason: str) -> Job:
        return self._job(f"/schedules/{schedule_id}/run", requests.Why(reason=reason))

    def pools(self) -> list[Pool]:
        return self._all("GET", "/pools", shapes.Pool)

    def workers(self, pool_id: int | None) -> list[Worker]:
        return self._all("GET", f"/pools/{_number(pool_id)}/workers", shapes.Worker)

    def free(self, worker_id: int | None, reason: str) -> list[Freed]:
        path, body = f"/workers/{_number(worker_id)}/free", requests.Why(reason=reason)
        found = self.connection.call("POST", path, _Items, body=body)
        return [msgspec.json.decode(item, type=Freed) for item in found.items]

    def drain(self, pool_id: int, reason: str) -> Pool:
        body = requests.Why(reason=reason)
        pool: Pool = self._one("POST", f"/pools/{pool_id}/drain", shapes.Pool, body=body)
        return pool

    def close(self) -> None:
        self.connection.close()


def _source(source: str | None) -> dict[str, list[str]]:
    """The empty source is one, too; only as a list it is not left out."""
    return {} if source is None else {"source": [source]}


def _part(name: str) -> str:
    return quote(name, safe="")


def _number(number: int | None) -> str:
    return "all" if number is None else str(number)


def _time(at: int | None) -> str | None:
    return None if at is None else clock.to_datetime(at).isoformat()


def _written(settings: Mapping[str, Any]) -> dict[str, Any]:
    """With the times of a schedule as the body has them."""
    times = {name: _time(settings[name]) for name in ("start_at", "end_at") if name in settings}
    return {**settings, **times}


def _rule(values: Mapping[str, Any]) -> dict[str, Any]:
    """With a retry policy as the body has it."""
    retry = values.get("retry")
    if isinstance(retry, RetryPolicy):
        return {**values, "retry": requests.RetryRule.of(retry)}
    return dict(values)


def _changes(kind: type[Struct], changes: Mapping[str, Any], reason: str) -> Struct:
    """A body that holds these changes and nothing else.

    Raises:
        InvalidValue: there is no such setting.
    """
    for name in changes:
        if name not in kind.__struct_fields__ or name == "reason":
            known = ", ".join(each for each in kind.__struct_fields__ if each != "reason")
            raise InvalidValue(name, f"no such setting to change; there are: {known}")
    return kind(**changes, reason=reason)


def _bulk(told: msgspec.Raw, action: str, number: int) -> Bulk:
    """What was done at once, or the job that does it."""
    found = msgspec.json.decode(told, type=dict[str, msgspec.Raw])
    if "status" not in found:
        return msgspec.json.decode(told, type=answers.Bulk).record()
    job: Job = msgspec.json.decode(told, type=shapes.Job).record()
    return Bulk(action=action, number=number, job=job)
