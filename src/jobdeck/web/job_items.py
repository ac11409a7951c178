"""The items that a job took from those that its flow takes only once."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job
from jobdeck.http.auth import VIEWER
from jobdeck.store import items, jobs
from jobdeck.web.render import AnyRequest, AtPages

PAGE = 100
FEW = 8
"""So many are shown on the page of the job."""

MEANINGS = {
    "processed": "not taken again",
    "claimed": "in its hands",
    "deferred": "put off to a later run",
    "released": "free again",
}


@get("/jobs/{job_id:int}/processed-items", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, job_id: FromPath[int]) -> Response[str]:
    """All of them by source and name, or those in one state, a page at a time."""
    given = request.query_params
    state, cursor = str(given.get("state", "")), str(given.get("cursor", ""))
    now = clock.now()
    with pages.deck.store.read() as conn:
        job = jobs.get(conn, job_id)
        found = items.find(
            conn, None, now, job=job_id, state=state, limit=PAGE, cursor=cursor or None
        )
    return pages.page(
        request,
        "job/items_page.html",
        noun="jobs",
        now=now,
        job=job,
        items=found.items,
        next=found.next,
        cursor=cursor,
        chosen=state,
        states=("", *MEANINGS),
    )


def few(conn: Connection, job: Job, now: Micros) -> dict[str, Any]:
    """How many it took and the first of them, for its page; no `taken` if it took none."""
    taken = items.find(conn, None, now, job=job.id, limit=FEW).items
    counts, more = items.count(conn, None, now, job=job.id) if taken else ({}, False)
    return {"taken": taken, "counts": counts, "more_counts": more, "meanings": MEANINGS}
