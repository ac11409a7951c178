"""Working on a server: jobs, and the errors by which they fail."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from jobdeck.client import answers, requests, shapes
from jobdeck.client.http_transport import TIMEOUT_S, wished
from jobdeck.client.over_http.base import Items, OverHttpBase, bulk_of, iso, part
from jobdeck.client.shaping import micros
from jobdeck.domain import filtertext
from jobdeck.domain.bulk import Bulk
from jobdeck.domain.filters import JobFilter, LogFilter, Page
from jobdeck.domain.limits import LOG_PAGE
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
from jobdeck.domain.why import Why
from jobdeck.sdk.transport import EnqueueItem


class JobsOverHttp(OverHttpBase):
    """The part of the backend that is about jobs, and the errors by which they fail."""

    def create(self, item: EnqueueItem, reason: str) -> Job:
        body = requests.NewJob(
            params=item.params,
            context=item.context,
            priority=item.priority,
            run_at=iso(item.run_at),
            reason=reason,
            **wished(item),
        )
        job: Job = self._one("POST", f"/flows/{part(item.flow)}/jobs", shapes.Job, body=body)
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
        return Page(items, page.next, micros(page.searched_to), page.prev)

    def count(self, pipeline: str, flow: str, queue: str) -> dict[Status, int]:
        query = {"pipeline": pipeline, "flow": flow, "queue": queue}
        return self.connection.call("GET", "/jobs/count", dict[Status, int], query=query)

    def job(self, job_id: int) -> Job:
        job: Job = self._one("GET", f"/jobs/{job_id}", shapes.Job)
        return job

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
            more = {**query, "after": place, "limit": min(limit - len(lines), LOG_PAGE)}
            found = self.connection.call("GET", f"/jobs/{job_id}/logs", Items, query=more)
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

    def delete(self, job_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/jobs/{job_id}", query={"reason": reason})

    def search_logs(self, wanted: LogFilter, limit: int, cursor: str | None) -> Page[FoundLine]:
        query = {
            **msgspec.structs.asdict(wanted),
            "after": iso(wanted.after),
            "before": iso(wanted.before),
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

    def mute_error(self, group_id: int, reason: str) -> ErrorGroup:
        return self._of_error(group_id, "mute", reason)

    def unmute_error(self, group_id: int, reason: str) -> ErrorGroup:
        return self._of_error(group_id, "unmute", reason)

    def _of_error(self, group_id: int, deed: str, reason: str) -> ErrorGroup:
        path, body = f"/errors/{group_id}/{deed}", requests.Why(reason=reason)
        found: ErrorGroup = self._one("POST", path, answers.ErrorGroup, body=body)
        return found

    def retry_error(self, group_id: int, reason: str) -> Bulk:
        path, body = f"/errors/{group_id}/retry", requests.Why(reason=reason)
        return bulk_of(self.connection.call("POST", path, msgspec.Raw, body=body), "retry", 0)

    def views(self) -> list[View]:
        return self._all("GET", "/views", answers.View)

    def save_view(self, name: str, filter_text: str, sort: str, reason: str) -> View:
        body = requests.NewView(name=name, filter=filter_text, sort=sort, reason=reason)
        made: View = self._one("POST", "/views", answers.View, body=body)
        return made

    def rename_view(self, view_id: int, name: str, reason: str) -> View:
        body = requests.ViewName(name=name, reason=reason)
        found: View = self._one("PATCH", f"/views/{view_id}", answers.View, body=body)
        return found

    def delete_view(self, view_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/views/{view_id}", query={"reason": reason})

    def hints(self) -> list[HintRule]:
        return self._all("GET", "/hints", answers.HintRule)

    def add_hint(self, pattern: str, hint: str, link: str, reason: str) -> HintRule:
        body = requests.NewHint(pattern=pattern, hint=hint, link=link, reason=reason)
        made: HintRule = self._one("POST", "/hints", answers.HintRule, body=body)
        return made

    def remove_hint(self, rule_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/hints/{rule_id}", query={"reason": reason})
