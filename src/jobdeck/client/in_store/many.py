"""Working on a store: many jobs at once."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobdeck.actions import bulk as bulk_actions
from jobdeck.actions import cleanup as cleanup_actions
from jobdeck.actions import export as export_actions
from jobdeck.client import settings
from jobdeck.client.in_store.base import InStoreBase
from jobdeck.domain import clock, filtertext
from jobdeck.domain.bulk import Bulk, Item, Order
from jobdeck.domain.records import Job
from jobdeck.domain.serving import lives
from jobdeck.store import bulk, jobs, pools


class ManyInStore(InStoreBase):
    """The part of the backend that is about many jobs at once."""

    def bulk(
        self,
        order: Order,
        ids: Sequence[int] | None,
        text: str | None,
        dry_run: bool,
        reason: str,
    ) -> Bulk:
        return bulk_actions.ask(
            *(self.store, self.actor, reason, order), ids=ids, text=text, dry_run=dry_run
        )

    def bulk_items(self, job_id: int, after: int, outcome: str, limit: int) -> list[Item]:
        with self.store.read() as conn:
            jobs.get(conn, job_id)
            return bulk.items(conn, job_id, after=after, outcome=outcome, limit=limit)

    def export(self, text: str, format_: str, reason: str) -> Job:
        wanted = filtertext.parse(text, clock.now())
        return export_actions.start(
            self.store, self.actor, reason, format_=format_, wanted=wanted, text=text
        )

    def cleanup(self, dry_run: bool, reason: str) -> Job:
        keep = settings.read().keep()
        return cleanup_actions.start(self.store, self.actor, reason, keep, dry_run=dry_run)

    @contextmanager
    def own_work(self) -> Iterator[None]:
        with self.store.read() as conn:
            known = pools.all(conn, builtin=True)
        if any(pool.builtin and lives(pool, clock.now()) for pool in known):
            yield
            return
        from jobdeck.engine.housework import Housework

        housework = Housework(self.store)
        housework.start()
        try:
            yield
        finally:
            housework.stop()
