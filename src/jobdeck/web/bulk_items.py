"""What became of each of the jobs that a bulk job is about."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from sqlalchemy import Connection

from jobdeck.domain import builtin, clock, numbers
from jobdeck.domain.bulk import OUTCOMES
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Job
from jobdeck.http.auth import VIEWER
from jobdeck.store import bulk, jobs
from jobdeck.web.render import AnyRequest, AtPages

PAGE = 100
FEW = 12
"""So many are shown on the page of the job."""

OUTCOME_WORDS = {"": "All", "done": "Done", "skipped": "Skipped", "waiting": "Still to come"}


@get("/jobs/{job_id:int}/items", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, job_id: FromPath[int]) -> Response[str]:
    """All of them, by number, a page at a time."""
    given = request.query_params
    outcome = str(given.get("outcome", ""))
    after = numbers.read(str(given.get("after", ""))) or 0
    with pages.deck.store.read() as conn:
        job = jobs.get(conn, job_id)
        if job.flow != builtin.BULK.name:
            raise NotFound("bulk job", job_id, "It is a job of another kind.")
        found = bulk.items(conn, job_id, after=after, outcome=outcome, limit=PAGE + 1)
    return pages.page(
        request,
        "jobs/bulk_page.html",
        noun="jobs",
        now=clock.now(),
        job=job,
        items=found[:PAGE],
        next=found[PAGE - 1].job if len(found) > PAGE else None,
        after=after,
        outcome=outcome,
        outcomes={word: OUTCOME_WORDS[word] for word in ("", *OUTCOMES)},
    )


def few(conn: Connection, job: Job) -> dict[str, Any]:
    """The first of them for the page of the job: those that were skipped lead, since they say
    why; nothing for other jobs."""
    if job.flow != builtin.BULK.name:
        return {"items": [], "more_items": False}
    found = bulk.items(conn, job.id, outcome="skipped", limit=FEW)
    if len(found) < FEW:
        found += bulk.items(conn, job.id, outcome="done", limit=FEW + 1 - len(found))
    return {"items": found[:FEW], "more_items": True}
