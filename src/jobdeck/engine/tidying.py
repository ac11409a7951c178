"""Creating the job of the clean-up: at the start, and every day at a time."""

import structlog

from jobdeck.actions import cleanup
from jobdeck.domain import builtin, retention
from jobdeck.domain.clock import Micros
from jobdeck.domain.retention import Keep
from jobdeck.domain.roles import SYSTEM
from jobdeck.domain.states import FINAL
from jobdeck.store import builtin as own
from jobdeck.store import counters
from jobdeck.store import retention as old
from jobdeck.store.database import Store

log = structlog.get_logger()

AT = "05:00"


class Tidying:
    """Sees to it, unless there is nothing to clean up or an earlier one has not ended."""

    def __init__(self, store: Store, keep: Keep, at: str = AT) -> None:
        """`at` is the time of day, in UTC."""
        self._store, self._keep, self._at = store, keep, at
        self._next: Micros = 0

    def turn(self, now: Micros) -> None:
        """Create the job if its time has come."""
        if now < self._next:
            return
        why = "daily" if self._next else "at the start"
        self._next = retention.next_at(self._at, now)
        with self._store.write() as conn:
            flow_id, _ = own.ensure(conn, builtin.CLEANUP, now)
            totals = counters.totals(conn, flow_id=flow_id)
            is_open = any(n for status, n in totals.items() if status not in FINAL)
            due = not is_open and old.due(conn, self._keep, now)
        if due:
            job = cleanup.start(self._store, SYSTEM, why, self._keep, source="maintenance")
            log.info("clean-up", job=job.id)
