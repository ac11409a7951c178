"""What a client does with many jobs at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jobdeck.client.backend import Backend
from jobdeck.domain import bulk
from jobdeck.domain.bulk import Bulk, Item
from jobdeck.domain.filters import PAGE
from jobdeck.domain.records import Job


class Many:
    """The part of `Client` that is about many jobs at once."""

    _backend: Backend

    def bulk(
        self,
        action: str,
        ids: Iterable[int] | None = None,
        *,
        filter: str | None = None,  # noqa: A002
        from_: str = "failed_step",
        priority: int | None = None,
        queue: str = "",
        dry_run: bool = False,
        reason: str = "",
    ) -> Bulk:
        """Do the same to many jobs, given by number or by the text of a `filter`: `retry` (with
        `from_`), `stop`, `kill`, `delete`, `priority` (the new one), `move` (to a `queue`).

        Up to 100 numbers are done at once: `items` tells what became of each. Else `job` is the
        one that does it; `dry_run` only says how many there are."""
        wanted = None if ids is None else list(ids)
        order = bulk.order(action, from_, priority, queue)
        return self._backend.bulk(order, wanted, filter, dry_run, reason)

    def bulk_items(
        self, job_id: int, *, after: int = 0, outcome: str = "", limit: int = PAGE
    ) -> list[Item]:
        """What became of the jobs that a bulk job is about, a page from above the number
        `after`; only of those with that outcome: done, skipped or waiting."""
        return self._backend.bulk_items(job_id, after, outcome, limit)

    def export(
        self,
        filter: str = "",  # noqa: A002
        *,
        format: str = "csv",  # noqa: A002
        reason: str = "",
    ) -> Job:
        """Create the job that writes all jobs that the text of a filter means into a file, which
        it keeps: `csv`, or `jsonl` with one job on each line."""
        return self._backend.export(filter, format, reason)

    def cleanup(self, *, dry_run: bool = False, reason: str = "") -> Job:
        """Create the job that deletes what is older than the settings let it be kept; with
        `dry_run` it only counts it: see its result."""
        return self._backend.cleanup(dry_run, reason)

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """See that Jobdeck's own work is done meanwhile: on a store whose maintenance does not
        run, this process does it."""
        with self._backend.own_work():
            yield
