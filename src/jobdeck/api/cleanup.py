"""Calls about the clean-up: what is kept for how long, and cleaning up now."""

from litestar import Controller, Response, get, post
from litestar.params import JSONBody
from msgspec import Struct

from jobdeck.actions import cleanup as actions
from jobdeck.api.jobs import created, shape
from jobdeck.client import requests, shapes
from jobdeck.domain import builtin
from jobdeck.domain.filters import JobFilter
from jobdeck.http.auth import ADMIN, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import jobs


class Cleanup(Struct, frozen=True):
    """How long each kind is kept, the time of day (UTC) of the daily clean-up, and its latest
    job."""

    keep: dict[str, str]
    at: str
    last: shapes.Job | None


class CleanupApi(Controller):
    """`/cleanup`."""

    path = "/cleanup"
    tags = ("cleanup",)

    @get(opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck) -> Cleanup:
        """How long things are kept, and the latest clean-up."""
        with deck.store.read() as conn:
            found = jobs.find(conn, JobFilter(flow=builtin.CLEANUP.name), limit=1).items
        settings = deck.settings
        last = shape(found[0]) if found else None
        return Cleanup(settings.keep().words(), settings.cleanup_at, last)

    @post(opt=ADMIN, status_code=202, sync_to_thread=True)
    def start(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.Cleanup] = requests.CLEANUP
    ) -> Response[shapes.Job]:
        """Delete what is older than it is to be kept; with `dry_run` only count it. The result of
        the job of the queue CLEANUP tells the rows of each kind."""
        keep = deck.settings.keep()
        job = actions.start(
            deck.store, actor, data.reason, keep, dry_run=data.dry_run, source="api"
        )
        return created(deck, job)
