"""Finding pools that have died, and giving back what they held."""

import contextlib
import os
import socket
import time

import psutil
import structlog
from sqlalchemy import select

from jobdeck.domain import clock
from jobdeck.domain.limits import LEASE_S
from jobdeck.engine.workers import kill_group
from jobdeck.store import events, orphans, pools
from jobdeck.store.database import Store
from jobdeck.store.tables import workers

log = structlog.get_logger()

_SAME_START_S = 2.0
_SUSPECT_S = 5.0
"""How long the beat of a pool may rest whose process seems to be another one."""


class Reaper:
    """Times the heartbeats of pools with a clock of its own, since those of hosts differ. A
    pool on this machine whose process is gone need not be waited for."""

    def __init__(self, store: Store, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._lease_s = lease_s
        self._seen: dict[int, tuple[int, float]] = {}
        self._host = socket.gethostname()

    def reap(self) -> int:
        """Give back the jobs of pools that have died; gives the number of such pools."""
        with self._store.read() as conn:
            alive = pools.beats(conn)
        self._seen = {row.id: self._seen[row.id] for row in alive if row.id in self._seen}
        dead = [row for row in alive if self._dead(row)]
        for row in dead:
            self._bury(row)
        self._take_back_unowned()
        return len(dead)

    def start_over(self) -> None:
        """The store was away: no pool could tell that it lives, so each is given time anew."""
        self._seen.clear()

    def _take_back_unowned(self) -> None:
        now = clock.now()
        with self._store.read() as conn:
            if not orphans.unowned(conn):
                return
        with self._store.write(wake=True) as conn:
            ended = orphans.take_back_unowned(conn, now)
        log.warning("jobs of a pool that is gone given back", jobs=len(ended))

    def _dead(self, row: pools.Beat) -> bool:
        moment = time.monotonic()
        beat, since = self._seen.get(row.id, (-1, moment))
        if row.beat != beat:
            self._seen[row.id] = (row.beat, moment)
            since = moment
        elif moment - since > self._lease_s:
            return True
        if row.host != self._host:
            return False
        process = _process(row.pid)
        if process is None:
            return True
        # Another process with that number would have started after the pool was opened. Or the
        # system's clock was set, which moves what it tells of starts: so its beat decides soon.
        with contextlib.suppress(psutil.Error):
            later = process.create_time() > row.started_at / clock.SECOND + _SAME_START_S
            return later and moment - since > _SUSPECT_S
        return False

    def _bury(self, row: pools.Beat) -> None:
        log.warning("pool lost", pool=row.id, host=row.host, pid=row.pid)
        if row.host == self._host:
            self._sweep(row.id)
        given_back = 0
        with self._store.write() as conn:
            pools.set_state(conn, row.id, "lost")
        while True:
            now = clock.now()
            with self._store.write(wake=True) as conn:
                ended = orphans.take_back(conn, row.id, now)
                if not ended:
                    pools.close(conn, row.id, now)
                    break
                for ending in ended:
                    events.add(
                        conn, ending.job_id, now, "pool_lost",
                        f"pool {row.id} on {row.host} was lost",
                        attempt=ending.attempt,
                    )  # fmt: skip
                given_back += len(ended)
        log.info("jobs of a lost pool given back", pool=row.id, jobs=given_back)

    def _sweep(self, pool_id: int) -> None:
        """Kill workers that outlived their pool where the system has no parent-death signal."""
        with self._store.read() as conn:
            rows = conn.execute(
                select(workers.c.pid, workers.c.process_started_at).where(
                    workers.c.pool_id == pool_id
                )
            ).fetchall()
        for row in rows:
            with contextlib.suppress(psutil.Error):
                started = psutil.Process(row.pid).create_time()
                if row.pid != os.getpid() and abs(started - row.process_started_at) < 0.1:
                    kill_group(row.pid)


def _process(pid: int) -> psutil.Process | None:
    """The process of that number, if one runs."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None
