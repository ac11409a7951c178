"""Calls about what a job is made of: steps, log, attempts, files, events, calls, result."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath, QueryParameter
from litestar.response import File, Stream

from jobdeck.api.kinds import After, Items
from jobdeck.client import answers, shapes
from jobdeck.client.in_store.jobs import kept_file
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.limits import LOG_PAGE
from jobdeck.domain.records import LogLine
from jobdeck.domain.why import why
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, Deck
from jobdeck.store import attempts, calls, events, facts, files, jobs, logs, pipelines, steps

FORMATS = ("json", "text")
_Level = Annotated[
    str, QueryParameter(description="The least level to show", schema_extra={"enum": logs.LEVELS})
]
_LogLimit = Annotated[int, QueryParameter(description="At most so many lines", ge=1, le=LOG_PAGE)]
_Format = Annotated[
    str,
    QueryParameter(
        description="text: the whole log as plain text; as Accept: text/plain does",
        schema_extra={"enum": FORMATS},
    ),
]
_Attempt = Annotated[int | None, QueryParameter(description="Only this attempt", ge=1, le=2**31)]
_CALLS = 100


class JobPartsApi(Controller):
    """What stands under `/jobs/{id}`."""

    path = "/jobs/{job_id:int}"
    tags = ("jobs",)

    @get("/why", opt=VIEWER, sync_to_thread=True)
    def why(self, deck: AtDeck, job_id: FromPath[int]) -> answers.Why:
        """Why it is where it is, in a sentence: what it waits for and about how long, who stopped
        it, what it failed of."""
        with deck.store.read() as conn:
            return answers.Why.of(why(facts.gather(conn, job_id, clock.now())))

    @get("/steps", opt=VIEWER, sync_to_thread=True)
    def steps(self, deck: AtDeck, job_id: FromPath[int]) -> Items[shapes.Step]:
        """Its steps in order, with what each read, wrote, filtered and skipped."""
        with deck.store.read() as conn:
            job = jobs.get(conn, job_id)
            try:
                manifest = pipelines.get(conn, job.pipeline).manifest
            except NotFound:
                manifest = None
            return Items([shapes.Step.of(step) for step in steps.of_job(conn, job, manifest)])

    @get("/attempts", opt=VIEWER, sync_to_thread=True)
    def attempts(self, deck: AtDeck, job_id: FromPath[int]) -> Items[shapes.Attempt]:
        """The attempts at it, the first one first."""
        with deck.store.read() as conn:
            found = attempts.of_job(conn, jobs.get(conn, job_id))
        return Items([shapes.Attempt.of(attempt) for attempt in found])

    @get("/events", opt=VIEWER, sync_to_thread=True)
    def events(self, deck: AtDeck, job_id: FromPath[int]) -> Items[shapes.Event]:
        """What happened to it, in order."""
        with deck.store.read() as conn:
            found = events.of_job(conn, jobs.get(conn, job_id))
        return Items([shapes.Event.of(event) for event in found])

    @get("/calls", opt=VIEWER, sync_to_thread=True)
    def calls(self, deck: AtDeck, job_id: FromPath[int], after: After = 0) -> Items[shapes.Call]:
        """The HTTP calls that it made."""
        with deck.store.read() as conn:
            jobs.get(conn, job_id)
            found = calls.of_job(conn, job_id, after=after, limit=_CALLS)
        more = found[-1].id if len(found) == _CALLS else None
        return Items([shapes.Call.of(call) for call in found], more)

    @get("/result", opt=VIEWER, sync_to_thread=True)
    def result(self, deck: AtDeck, job_id: FromPath[int]) -> shapes.Result:
        """How it ended: its status, with its result or its error; both are null until then."""
        with deck.store.read() as conn:
            job = jobs.get(conn, job_id)
        error = shapes.Error.of(job.error) if job.error else None
        return shapes.Result(job.status, job.result, error)

    @get("/logs", opt=VIEWER, sync_to_thread=True)
    def logs(
        self,
        request: Request[Any, Any, Any],
        deck: AtDeck,
        job_id: FromPath[int],
        after: After = 0,
        level: _Level = "",
        q: Annotated[str, QueryParameter(description="Text in the line", max_length=200)] = "",
        attempt: _Attempt = None,
        limit: _LogLimit = 500,
        format: _Format = "",  # noqa: A002
    ) -> Response[Items[shapes.LogLine]] | Stream:
        """Its log: a page of lines, or all of it as text. A call looks at a bounded number of
        lines: it may give few of them, and `next`."""
        if format and format not in FORMATS:
            raise InvalidValue("format", f"{format!r} is neither {' nor '.join(FORMATS)}")
        query: dict[str, Any] = {"level": level, "q": q, "attempt": attempt}
        with deck.store.read() as conn:
            jobs.get(conn, job_id)
            wants_text = format == "text" or (not format and _accepts_text(request))
            if wants_text:
                name = f"job-{job_id}.log"
                return Stream(
                    _log_text(deck, job_id, after, query),
                    media_type="text/plain; charset=utf-8",
                    headers={"Content-Disposition": f'inline; filename="{name}"'},
                )
            found = logs.of_job(conn, job_id, after=after, limit=limit, **query)
        lines = [shapes.LogLine.of(line) for line in found.lines]
        return Response(Items(lines, found.looked_to))

    @get("/files", opt=VIEWER, sync_to_thread=True)
    def files(self, deck: AtDeck, job_id: FromPath[int]) -> Items[shapes.File]:
        """The files that it kept."""
        with deck.store.read() as conn:
            jobs.get(conn, job_id)
            found = files.of_job(conn, job_id)
        return Items([shapes.File.of(file) for file in found])

    @get("/files/{name:path}", opt=VIEWER, sync_to_thread=True)
    def download(self, deck: AtDeck, job_id: FromPath[int], name: FromPath[Path]) -> File:
        """One of its files."""
        path = kept_file(deck.store, job_id, str(name).lstrip("/"))
        return File(
            path=path,
            filename=path.name,
            media_type="application/octet-stream",
            content_disposition_type="attachment",
            headers={"Content-Security-Policy": "default-src 'none'; sandbox"},
        )


def _accepts_text(request: Request[Any, Any, Any]) -> bool:
    accept = request.headers.get("accept", "")
    return "text/plain" in accept and "json" not in accept


def _log_text(deck: Deck, job_id: int, after: int, query: dict[str, Any]) -> Iterator[str]:
    while True:
        with deck.store.read() as conn:
            found = logs.of_job(conn, job_id, after=after, limit=1000, **query)
        yield "".join(_line(line) for line in found.lines)
        if found.looked_to is None:
            return
        after = found.looked_to


def _line(line: LogLine) -> str:
    step = f" [{line.step}]" if line.step else ""
    return f"{clock.to_iso(line.at)} {line.level:<8}{step} {line.message}\n"
