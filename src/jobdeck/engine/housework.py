"""Runs the jobs of Jobdeck's own work, inside maintenance: a thread for each that runs.

Their claims are those of a pool with a heartbeat, so that a process that dies loses none.
"""

import os
import socket
import threading
import time
import traceback
from typing import Any

import structlog

from jobdeck.domain import builtin, clock
from jobdeck.domain.errors import JobdeckError, StoreError
from jobdeck.domain.limits import LEASE_S
from jobdeck.domain.records import JobError
from jobdeck.domain.states import Code, Reason
from jobdeck.engine.catalogue import Catalogue
from jobdeck.engine.chore import Chore, Leaving, Lost, Stopped
from jobdeck.engine.chores import CHORES
from jobdeck.store import builtin as own
from jobdeck.store import changes, pools
from jobdeck.store.claims import Begun, Claimed, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.values import encode

log = structlog.get_logger()

LOOK_S = 0.25
BEAT_S = LEASE_S / 4
RETRY_STORE_S = 1.0

LOADED = {work.name: work.manifest.fingerprint for work in builtin.WORKS}
STEPS = {work.name: work.step for work in builtin.WORKS}


class Housework:
    """Takes jobs of the built-in queues, at most one of each kind at a time, so that a long
    clean-up holds up no stop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue(frozenset(builtin.QUEUES))
        self._pool_id = 0
        self._queue_ids: list[int] = []
        self._beat_at = 0.0
        self._busy: dict[int, threading.Thread] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housework", daemon=True)

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Give back what runs, and end; waits at most so long for it."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        wait = 0.0
        while not self._end.wait(wait):
            wait = LOOK_S
            try:
                self._turn()
            except StoreError as error:
                log.error("store not available", error=str(error))
                wait = RETRY_STORE_S
            except Exception:
                log.exception("housework met an error that it did not foresee")
                wait = RETRY_STORE_S
        for thread in list(self._busy.values()):
            thread.join(LEASE_S)
        if self._pool_id:
            try:
                with self._store.write() as conn:
                    pools.close(conn, self._pool_id, clock.now())
            except StoreError as error:
                log.error("store not available", error=str(error))

    def _turn(self) -> None:
        self._busy = {flow: t for flow, t in self._busy.items() if t.is_alive()}
        if not self._pool_id:
            self._open()
        elif time.monotonic() >= self._beat_at:
            self._beat()
        with self._store.read() as conn:
            if not own.is_waiting(conn, self._queue_ids):
                return
            self._catalogue.refresh(conn, LOADED)
            lanes, _ = self._catalogue.lanes(conn, clock.now())
        if any(flow not in self._busy for _, flow in lanes):
            self._take()

    def _open(self) -> None:
        now = clock.now()
        with self._store.write() as conn:
            self._queue_ids = own.ensure_all(conn, now)
            self._pool_id = pools.open(
                conn,
                socket.gethostname(),
                os.getpid(),
                len(CHORES),
                builtin.QUEUES,
                now,
                builtin=True,
            )
            pools.set_loaded(conn, self._pool_id, LOADED)
        self._beat_at = time.monotonic() + BEAT_S

    def _beat(self) -> None:
        with self._store.write() as conn:
            lives = pools.beat(conn, self._pool_id, clock.now())
        self._beat_at = time.monotonic() + BEAT_S
        if not lives:
            # What runs finds out by its claim, which no longer holds.
            log.warning("maintenance lost its lease", pool=self._pool_id)
            self._pool_id = 0

    def _take(self) -> None:
        now = clock.now()
        taken: list[Claimed] = []
        mine = self._pool_id
        # Should the commit's answer be lost, jobs may be this number's that nobody does: under
        # another number they are given back.
        self._pool_id = mine if self._store.sqlite else 0
        with self._store.write() as conn:
            lanes, allowed = self._catalogue.lanes(conn, now)
            for lane in lanes:
                if lane[1] not in self._busy and lane[1] not in {each.flow_id for each in taken}:
                    taken += claim(conn, [lane], 1, mine, now, allowed)
            begin(conn, [Begun(*_key(c), None, now, c.queue_id, c.flow_id) for c in taken])
            if taken:
                rows = [("job", str(each.job_id), "started") for each in taken]
                changes.add(conn, now, [*rows, ("jobs", "", "started")])
        self._pool_id = mine
        for each in taken:
            name = f"job {each.job_id}"
            thread = threading.Thread(target=self._do, args=(each,), name=name, daemon=True)
            self._busy[each.flow_id] = thread
            thread.start()

    def _do(self, claimed: Claimed) -> None:
        flow = self._catalogue.flows[claimed.flow_id]
        chore = Chore(self._store, claimed, STEPS[flow.name], self._end.wait)
        made: dict[str, Any] = {}
        while True:
            try:
                made = made or self._work(flow.name, chore)
                self._finish(chore, flow.version, made)
                return
            except Lost:
                log.warning("a job of Jobdeck's own is no longer mine", job=claimed.job_id)
                return
            except StoreError as error:
                log.error("store not available", job=claimed.job_id, error=str(error))
                if self._end.wait(RETRY_STORE_S):
                    return

    @staticmethod
    def _work(name: str, chore: Chore) -> dict[str, Any]:
        """Do it; gives the fields of its ending."""
        try:
            chore.recall()
            result = CHORES[name](chore)
        except (Lost, StoreError):
            raise
        except Stopped as stop:
            killed = stop.kind == "kill"
            reason = Reason.KILLED if killed else Reason.STOPPED
            message = stop.why or f"{reason.value} by {stop.by}"
            message += f" ({chore.note})" if chore.note else ""
            return {"code": Code.STOPPED, "reason": reason.value, "message": message}
        except Leaving:
            message = "its maintenance process was shut down before it ended"
            return {"code": Code.PENDING, "reason": Reason.POOL_ENDED.value, "message": message}
        except Exception as error:
            return _failed(chore, error)
        return {"code": Code.COMPLETED, "result": encode(result), "message": chore.note or None}

    def _finish(self, chore: Chore, version: int, made: dict[str, Any]) -> None:
        now = clock.now()
        row = chore.claimed
        ending = Ending(
            *(row.job_id, row.queue_id, row.flow_id, row.rank, row.attempt, row.losses, row.claim),
            **made,
            shown=True,
            began=True,
            finished_at=now,
            started_at=chore.began_at,
            pool_id=self._pool_id or None,
            version=version,
            parent_id=row.parent_id,
        )
        with self._store.write(wake=True) as conn:
            if not finish(conn, [ending]):
                raise Lost
            if ending.code != Code.PENDING:
                chore.save_step(conn, ending.code.status.value, now)
            kind = ending.code.status.value
            changes.add(conn, now, [("job", str(row.job_id), kind), ("jobs", "", kind)])


def _key(claimed: Claimed) -> tuple[int, int]:
    return claimed.job_id, claimed.claim


def _failed(chore: Chore, error: Exception) -> dict[str, Any]:
    known = isinstance(error, JobdeckError)
    told = JobError(
        type=type(error).__name__,
        message=str(error),
        step=chore.step,
        traceback="" if known else traceback.format_exc(),
    )
    if not known:
        log.exception("a job of Jobdeck's own failed", job=chore.job_id)
    return {"code": Code.FAILED, "reason": Reason.ERROR.value, "error": encode(told)}
