"""One job: what it is, why it is as it is, what it did and said."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import File, Stream
from sqlalchemy import Connection

from jobdeck.domain import clock, numbers
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import JobdeckError, NotFound
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Counts, ErrorGroup, Job, Step
from jobdeck.domain.roles import Actor
from jobdeck.domain.why import why as domain_why
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import attempts, facts, files, jobs, logs, pipelines, steps
from jobdeck.web import bulk_items, job_deeds, job_side, live, timeline, why
from jobdeck.web import logs as log_part
from jobdeck.web.drawings import TICK_S, Frame
from jobdeck.web.live import View
from jobdeck.web.logs import LogQuery
from jobdeck.web.render import AnyRequest, AtPages, Pages

ATTEMPTS = 50
"""So many of the newest are drawn; REST has all."""


@get("/jobs/{job_id:int}", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By, job_id: FromPath[int]) -> Response[str]:
    """All about it."""
    query = log_part.read(request)
    now = clock.now()
    with pages.deck.store.read() as conn:
        job = jobs.get(conn, job_id)
        found = log_part.first(conn, job_id, query)
        frame = _frame(pages, conn, job, actor, now, position=logs.newest_of(conn, job_id))
    address = pages.url(f"/jobs/{job_id}/live", query.anywhere.pairs())
    return pages.page(
        request,
        "job/page.html",
        noun="jobs",
        now=now,
        job=job,
        log=query,
        log_lines=log_part.html(pages, job_id, query, found, _no_lines(job, query)),
        regions=frame.regions,
        seen=str(live.seen(frame)),
        live_address=address,
    )


def _no_lines(job: Job, query: LogQuery) -> str:
    if query.level or query.find or query.attempt:
        return "No line matches."
    return "It logged nothing." if job.status.final else "No lines yet; they appear as they come."


@get("/jobs/{job_id:int}/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By, job_id: FromPath[int]) -> Stream:
    """What changes about it, and what it says."""
    query = log_part.read(request)

    def draw(conn: Connection, now: Micros, position: int) -> Frame:
        job = jobs.get(conn, job_id)
        found, last, more = log_part.tail(conn, job_id, query, position)
        frame = _frame(pages, conn, job, actor, now, position=last)
        tail = log_part.html(pages, job_id, query, found, ends=False) if found.lines else ""
        return Frame(frame.regions, tail, last, TICK_S if more else frame.ticks_s)

    topics = (("job", str(job_id)), "jobs", "queue")
    view = View(draw, topics, key=("job", job_id, query, actor.role))
    return live.stream(pages, request, view)


def _frame(
    pages: Pages, conn: Connection, job: Job, actor: Actor, now: Micros, *, position: int
) -> Frame:
    group = job_side.group_of(conn, job, now)
    return Frame(
        {
            "head": pages.html(
                "job/head.html",
                job=job,
                now=now,
                maker=_maker(job),
                links=job_side.links(pages, job),
                deeds=job_deeds.of_job(job, actor),
            ),
            "why": pages.html(
                "job/why.html",
                job=job,
                said=why.say(domain_why(facts.gather(conn, job.id, now)), now),
            ),
            "work": _work(pages, conn, job, group, now),
            "side": job_side.html(pages, conn, job, group, now),
        },
        position=position,
        ticks_s=None if job.status.final else TICK_S,
    )


def _maker(job: Job) -> int | None:
    """The job whose code created this one."""
    kind, _, number = job.created_by.partition(" ")
    return numbers.read(number) if kind == "job" else None


def _work(pages: Pages, conn: Connection, job: Job, group: ErrorGroup | None, now: Micros) -> str:
    found = steps.of_job(conn, job, _manifest(conn, job))
    if len(found) == 1 and found[0].counts == Counts():
        found = []  # the attempt tells it all
    counts = _total(found)
    tried = attempts.of_job(conn, job, latest=ATTEMPTS)
    lines = timeline.build(job, tried, found, now)
    return pages.html(
        "job/work.html",
        job=job,
        now=now,
        timeline=lines,
        left_out=max(tried[0].attempt - 1, 0) if tried else 0,
        outcomes=any(line.text or line.error for line in lines.lines if not line.step),
        counts=counts,
        counted=_counted(counts),
        group=group,
        **bulk_items.few(conn, job),
    )


def _counted(counts: Counts | None) -> list[str]:
    """The columns of counts; that of rollbacks only where there was one."""
    if counts is None:
        return []
    return [n for n in Counts.__struct_fields__ if n != "rollbacks" or counts.rollbacks]


def _total(found: Sequence[Step]) -> Counts | None:
    """What all steps did together; None if none of them counts."""
    if all(step.counts == Counts() for step in found):
        return None
    return Counts.of_all(step.counts for step in found)


def _manifest(conn: Connection, job: Job) -> PipelineManifest | None:
    try:
        pipeline = pipelines.get(conn, job.pipeline)
        version = job.version or pipeline.published_version or pipeline.current_version
        if version == pipeline.current_version:
            return pipeline.manifest
        return pipelines.manifest(conn, pipeline.id, version)
    except JobdeckError:
        return None  # its pipeline was removed; what was told of the steps is there


@get("/jobs/{job_id:int}/files/{name:path}", opt=VIEWER, sync_to_thread=True)
def file(deck: AtDeck, job_id: FromPath[int], name: FromPath[str]) -> File:
    """A file that it kept, to be saved: never shown, whatever it holds."""
    with deck.store.read() as conn:
        found = files.get(conn, job_id, str(name).lstrip("/"))
    path = (deck.store.files / found.path).resolve()
    if not path.is_relative_to(deck.store.files.resolve()) or not path.is_file():
        raise NotFound("file", found.name, "It is no longer in the store's folder of files.")
    plain = found.name.rpartition("/")[2]
    headers: dict[str, Any] = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(plain)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return File(path, filename=plain, media_type="application/octet-stream", headers=headers)
