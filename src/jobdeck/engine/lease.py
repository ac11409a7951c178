"""The lease of a pool: its row, by whose heartbeat others know that it lives."""

import os
import socket
from collections.abc import Iterable

import psutil
import structlog
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.store import pools
from jobdeck.store.database import Store

log = structlog.get_logger()


class LeaseLost(Exception):
    """Others took this pool for dead and gave its jobs back."""


class Lease:
    """The number of the pool (0: it has none yet), and when its heart is to beat next."""

    def __init__(self, store: Store, workers: int, queues: Iterable[str]) -> None:
        self.pool_id = 0
        self.beat_at: Micros = 0
        self._store = store
        self._workers = workers
        self._queues = sorted(queues)
        self._process = psutil.Process()

    def take(self) -> None:
        """Enter the pool under a new number."""
        now = clock.now()
        host, pid = socket.gethostname(), os.getpid()
        with self._store.write() as conn:
            self.pool_id = pools.open(conn, host, pid, self._workers, self._queues, now)
        self.beat_at = now
        log.info("pool started", pool=self.pool_id, workers=self._workers)

    def beat(self, conn: Connection, now: Micros) -> None:
        """Write the heartbeat if it is due.

        Raises:
            LeaseLost: the pool was taken for dead.
        """
        if now < self.beat_at:
            return
        if not pools.beat(conn, self.pool_id, now, self._process.memory_info().rss // 1024):
            raise LeaseLost
