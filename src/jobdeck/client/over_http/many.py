"""Working on a server: many jobs at once."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec

from jobdeck.client import answers, requests, shapes
from jobdeck.client.over_http.base import OverHttpBase, bulk_of
from jobdeck.domain.bulk import Bulk, Item, Order
from jobdeck.domain.records import Job


class ManyOverHttp(OverHttpBase):
    """The part of the backend that is about many jobs at once."""

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
        return bulk_of(told, order.action, len(ids or ()))

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
