"""Calls that do the same to many jobs, and tell what became of each."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from jobdeck.actions import bulk as actions
from jobdeck.actions import export as export_actions
from jobdeck.api.jobs import created
from jobdeck.api.kinds import After, Items, Limit
from jobdeck.client import answers, requests, shapes
from jobdeck.domain import clock, filtertext
from jobdeck.domain.bulk import OUTCOMES
from jobdeck.domain.filters import PAGE
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import bulk, jobs

Outcome = Annotated[
    str, QueryParameter(description=f"Only those of one outcome: {', '.join(OUTCOMES)}")
]


class BulkApi(Controller):
    """`/jobs/bulk`, `/jobs/export` and `/jobs/{id}/items`."""

    path = "/jobs"
    tags = ("jobs",)

    @post("/bulk", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def bulk(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.Bulk]
    ) -> Response[answers.Bulk | shapes.Job]:
        """Do the same to many jobs. Up to 100 ids are done at once: 200 with what became of each.
        More of them, or a filter: 202 with the job of the queue BULK that does it."""
        found = actions.ask(
            *(deck.store, actor, data.reason, data.order()),
            ids=data.ids,
            text=data.filter,
            dry_run=data.dry_run,
            source="api",
        )
        if found.job is not None:
            return created(deck, found.job)  # type: ignore[return-value]
        return Response(answers.Bulk.of(found), status_code=200)

    @post("/export", opt=OPERATOR, status_code=202, sync_to_thread=True)
    def export(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.Export] = requests.ALL_AS_CSV
    ) -> Response[shapes.Job]:
        """Write jobs into a file: the job of the queue EXPORT that does it keeps the file."""
        job = export_actions.start(
            *(deck.store, actor, data.reason),
            format_=data.format,
            wanted=filtertext.parse(data.filter, clock.now()),
            text=data.filter,
            source="api",
        )
        return created(deck, job)

    @get("/{job_id:int}/items", opt=VIEWER, sync_to_thread=True)
    def items(
        self,
        deck: AtDeck,
        job_id: FromPath[int],
        after: After = 0,
        outcome: Outcome = "",
        limit: Limit = PAGE,
    ) -> Items[answers.BulkItem]:
        """What became of the jobs that a bulk job is about, by their numbers."""
        with deck.store.read() as conn:
            jobs.get(conn, job_id)
            found = bulk.items(conn, job_id, after=after, outcome=outcome, limit=limit)
        following = found[-1].job if len(found) == limit else None
        return Items([answers.BulkItem.of(each) for each in found], following)
