"""What stands beside a job: its data, what it did outside, and what is around it."""

import shlex
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain.builtin import is_own
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import ErrorGroup, Job
from jobdeck.domain.states import Status
from jobdeck.store import calls, error_groups, events, files, jobs, surroundings
from jobdeck.store.surroundings import Happening
from jobdeck.web import formats, job_items
from jobdeck.web import jobs as jobs_page
from jobdeck.web.render import Pages

CHILDREN = 12
CALLS = 50
EVENTS = 100
FILES = 100
BODY_CHARS = 4_000
"""So much of the body of a recorded call is shown."""

MADE = 10
"""So many of the jobs that were made from it are named, the newest."""

_COMMAND_CHARS = 600
_DID = {
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped the jobs of",
    "limit": "limited",
    "register": "registered",
    "publish": "published",
    "unpublish": "unpublished",
    "remove": "removed",
    "add": "added",
    "edit": "changed",
    "run": "ran",
    "free": "freed",
    "drain": "drained",
    "recover": "recovered",
}


class Told(Struct, frozen=True, kw_only=True):
    """Something that happened elsewhere, in words."""

    at: Micros
    text: str
    reason: str = ""
    bad: bool = False


class Line(Struct, frozen=True, kw_only=True):
    """Something to copy. `absolute` ones are addresses that the browser completes."""

    name: str
    text: str
    absolute: bool = False


def html(pages: Pages, conn: Connection, job: Job, group: ErrorGroup | None, now: Micros) -> str:
    """That part of the page."""
    counts = jobs.children_counts(conn, [job.id]).get(job.id)
    children = (
        jobs.find(conn, JobFilter(parent=job.id), sort=("id",), limit=CHILDREN).items
        if counts
        else []
    )
    found = calls.of_job(conn, job.id, limit=CALLS + 1)
    kept = files.of_job(conn, job.id)
    noted = events.of_job(conn, job, latest=EVENTS)
    return pages.html(
        "job/side.html",
        job=job,
        now=now,
        json_chars=formats.JSON_CHARS,
        body=body,
        **job_items.few(conn, job, now),
        files=kept[:FILES],
        more_files=len(kept) - FILES,
        children=children,
        children_words=jobs_page.tree(counts) if counts else "",
        children_failed=(counts or {}).get(Status.FAILED, 0),
        more_children=total if (total := sum((counts or {}).values())) > CHILDREN else 0,
        calls=found[:CALLS],
        more_calls=len(found) > CALLS,
        events=noted[-EVENTS:],
        more_events=len(noted) > EVENTS,
        made=jobs.load(conn, events.made_from(noted)[-MADE:]),
        neighbours=surroundings.neighbours(conn, job),
        group=group,
        meanwhile=[
            told(each)
            for each in surroundings.happenings(conn, job.created_at, job.finished_at or now)
        ],
        copies=copies(pages, job),
    )


def group_of(conn: Connection, job: Job, now: Micros) -> ErrorGroup | None:
    """The error group of a job that stands failed."""
    number = error_groups.of_job(conn, job.id) if job.status == "failed" else None
    if number is None:
        return None
    try:
        return error_groups.get(conn, number, now)
    except NotFound:
        return None


def body(text: str) -> str:
    """The body of a recorded call: JSON is laid out, and the end of a long one left out."""
    if text[:1] in "{[" and len(text) <= BODY_CHARS:
        try:
            return msgspec.json.format(text, indent=2)
        except msgspec.DecodeError:
            pass
    return text[:BODY_CHARS]


def told(happening: Happening) -> Told:
    """What happened elsewhere, in words."""
    noun, _, deed = happening.action.partition(".")
    if noun == "pool" and not happening.actor:
        bad = deed == "lost"
        target = happening.target[:1].upper() + happening.target[1:]
        return Told(at=happening.at, text=f"{target} {'was lost' if bad else 'started'}", bad=bad)
    did = _DID.get(deed, deed.replace("_", " "))
    text = f"{happening.actor} {did} {happening.target}"
    return Told(at=happening.at, text=text, reason=happening.reason)


def copies(pages: Pages, job: Job) -> list[Line]:
    """How else this job is reached, and made again."""
    api = pages.url(f"/api/v1/jobs/{job.id}")
    return [
        Line(name="Address", text=pages.url(f"/jobs/{job.id}"), absolute=True),
        Line(name="REST", text=api, absolute=True),
        Line(name="Command", text=f"jobdeck jobs show {job.id}"),
        Line(name="Run the same", text=_run(job)),
    ]


def _run(job: Job) -> str:
    words = ["jobdeck", "run", job.flow]
    params = job.params if isinstance(job.params, dict) else {}
    for name, value in params.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        words += ["-p", f"{name}={text}"]
    if job.context:
        words += ["--context", job.context]
    line = shlex.join(words)
    if len(line) > _COMMAND_CHARS:
        line = shlex.join(["jobdeck", "run", job.flow, "--params", "FILE"])
    return line


def links(pages: Pages, job: Job) -> dict[str, Any]:
    """Addresses of what the job belongs to, of those pages that there are."""
    there = {place.noun for place in pages.places}
    found = {}
    if "pipelines" in there and not is_own(job.flow):
        found["pipeline"] = pages.url(f"/pipelines/{job.pipeline}")
        found["flow"] = pages.url(f"/flows/{job.flow}")
    for noun in ("queues", "schedules", "workers"):
        if noun in there:
            found[noun] = pages.url(f"/{noun}")
    return found
