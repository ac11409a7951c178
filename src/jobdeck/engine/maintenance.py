"""What must be done by exactly one process: firing schedules, finding dead pools, trimming."""

import threading
import time

import structlog

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import StoreError
from jobdeck.engine.housework import Housework
from jobdeck.engine.indexing import Indexer
from jobdeck.engine.leader import Leadership
from jobdeck.engine.leftovers import Leftovers
from jobdeck.engine.reaper import Reaper
from jobdeck.engine.scheduler import Scheduler
from jobdeck.engine.tidying import Tidying
from jobdeck.store import (
    changes,
    counters,
    error_groups,
    schedules,
    sessions,
    volume,
)
from jobdeck.store.database import Store

log = structlog.get_logger()

TURN_S = 0.5
TRIM_EVERY_S = 60
KEEP_CHANGES = 600 * SECOND
KEEP_FIRES = 7 * 86400 * SECOND
KEEP_ERRORS = 90 * 86400 * SECOND


class Maintenance:
    """Runs beside the pools, never loads user code. Of several only the leader acts, but all of
    them take jobs of Jobdeck's own work."""

    def __init__(self, store: Store, tidying: Tidying | None = None) -> None:
        """Without `tidying` nothing is cleaned up by itself."""
        self._store = store
        self._tidying = tidying
        self._leadership = Leadership(store)
        self._scheduler = Scheduler(store)
        self.reaper = Reaper(store)
        self._indexer = Indexer(store)
        self._housework = Housework(store)
        self._trim_at = 0.0  # by a clock that nobody sets
        self._leftovers = Leftovers(store)
        self._end = threading.Event()

    def stop(self, *_: object) -> None:
        """Let `run` return soon; may be called from a signal handler."""
        self._end.set()

    def run(self) -> None:
        """Work until stopped. A store out of reach is waited for."""
        wait = 0.0
        self._housework.start()
        while not self._end.wait(wait):
            wait = self.turn()
        self._leadership.resign()
        self._housework.stop()

    def turn(self) -> float:
        """Do what is to be done now; gives how many seconds to wait then."""
        try:
            return self._turn()
        except StoreError as error:
            log.error("store not available", error=str(error))
            self.reaper.start_over()
            return 1.0

    def _turn(self) -> float:
        if not self._leadership.held():
            return TURN_S
        self.reaper.reap()
        self._scheduler.fire_due(clock.now())
        self._indexer.turn()
        now = clock.now()
        if self._tidying is not None:
            self._tidying.turn(now)
        if time.monotonic() >= self._trim_at:
            with self._store.write() as conn:
                changes.trim(conn, now - KEEP_CHANGES)
                sessions.purge(conn, now)
                counters.fold(conn)
                schedules.trim_fires(conn, now - KEEP_FIRES)
                error_groups.trim(conn, now, KEEP_ERRORS)
                more = volume.trim(conn, now)
            more = self._leftovers.tidy(now) or more
            self._trim_at = time.monotonic() + (1 if more else TRIM_EVERY_S)
        due = self._scheduler.next_due()
        if due is None:
            return TURN_S
        return min(max((due - clock.now()) / SECOND, 0.0), TURN_S)
