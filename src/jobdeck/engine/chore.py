"""One job of Jobdeck's own work, as the code that does it sees it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, select, update

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.limits import LOG_LINES
from jobdeck.domain.records import Counts
from jobdeck.store import changes, logs, steps
from jobdeck.store.claims import Claimed
from jobdeck.store.database import Store
from jobdeck.store.tables import running
from jobdeck.store.values import clean, decode, encode

TELL_EVERY = SECOND // 4
"""How often live pages hear of its progress."""

GAP_MIN_S, GAP_MAX_S = 0.002, 0.1
"""Between two transactions it rests, half as long as the last one took: others write, too."""


_COUNTS = ("read", "written", "skipped", "commits")


class Lost(Exception):
    """The job is no longer this process's: it was given back, or finished by force."""


class Stopped(Exception):
    """Somebody asked for the job to stop; `kind` is stop or kill."""

    def __init__(self, kind: str, by: str, why: str) -> None:
        super().__init__(kind)
        self.kind, self.by, self.why = kind, by, why


class Leaving(Exception):
    """The process ends; the job goes on in another one."""


class Chore:
    """What to do and where it stands. `memory` is kept between transactions and attempts, as
    JSON; `done`, `total`, `note` and `counts` are shown. `took_s` is how long the last transaction
    took."""

    def __init__(
        self, store: Store, claimed: Claimed, step: str, ending: Callable[[float], bool]
    ) -> None:
        """`ending(seconds)` waits so long and says whether the process is to end."""
        self.store = store
        self.job_id = claimed.job_id
        self.params: dict[str, Any] = decode(claimed.params)
        self.claimed = claimed
        self.step = step
        self.memory: dict[str, Any] = {}
        self.done = 0
        self.total: int | None = None
        self.note = ""
        self.counts: dict[str, int] = dict.fromkeys(_COUNTS, 0)
        self.began_at = clock.now()
        self.took_s = 0.0
        self._ending = ending
        self._lines: list[tuple[Any, ...]] = []
        self._seq = 0
        self._told_at: Micros = 0

    def recall(self) -> None:
        """Go on from where an earlier attempt came to."""
        with self.store.read() as conn:
            kept = steps.progress_of(conn, [self.job_id]).get(self.job_id)
        told: dict[str, Any] = {}
        if kept is not None and kept.checkpoint is not None:
            told = decode(kept.checkpoint.decode())
        self.memory = told.get("memory", {})
        self.done, self.total = told.get("done", 0), told.get("total")
        self.counts = dict.fromkeys(_COUNTS, 0) | told.get("counts", {})

    def log(self, message: str, level: str = "info") -> None:
        """Add a line to the job's log, with the next transaction."""
        self._seq += 1
        if self._seq <= LOG_LINES:
            row = (self.job_id, self.claimed.attempt, self._seq, clock.now())
            self._lines.append((*row, level, "log", self.step, clean(message), None))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A bounded part of the work, with how far it came; it should take about 10 ms.

        Raises:
            Lost, Stopped, Leaving: nothing more is to be done.
        """
        if self._ending(0):
            raise Leaving
        began = time.monotonic()
        with self.store.write(wake=True) as conn:
            self._check(conn)
            yield conn
            self.counts["commits"] += 1
            self._save(conn)
        self.took_s = time.monotonic() - began
        if self._ending(min(max(self.took_s / 2, GAP_MIN_S), GAP_MAX_S)):
            raise Leaving

    def check(self) -> None:
        """See whether to go on, between two things that write nothing.

        Raises:
            Lost, Stopped, Leaving: no.
        """
        if self._ending(0):
            raise Leaving
        with self.store.read() as conn:
            self._check(conn)

    def _check(self, conn: Connection) -> None:
        r = running.c
        query = select(r.stop_kind, r.stop_by, r.stop_reason).where(
            r.job_id == self.job_id, r.claim == self.claimed.claim
        )
        row = conn.execute(query).first()
        if row is None:
            raise Lost
        if row.stop_kind is not None:
            raise Stopped(row.stop_kind, row.stop_by or "", row.stop_reason or "")

    def _save(self, conn: Connection) -> None:
        now = clock.now()
        own = (running.c.job_id == self.job_id) & (running.c.claim == self.claimed.claim)
        shown = {"done": self.done, "total": self.total, "note": clean(self.note)}
        changed = conn.execute(update(running).where(own).values(**shown, checked_in_at=now))
        if not changed.rowcount:
            raise Lost
        self.save_step(conn, "running")
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            changes.add(conn, now, [("job", str(self.job_id), "progress")])

    def save_step(self, conn: Connection, status: str, finished_at: Micros | None = None) -> None:
        """Keep its only step as it stands, and the lines logged since."""
        logs.append(conn, self._lines)
        self._lines = []
        kept = {
            "memory": self.memory,
            "done": self.done,
            "total": self.total,
            "counts": self.counts,
        }
        row = steps.StepRow(
            job_id=self.job_id,
            position=0,
            name=self.step,
            attempt=self.claimed.attempt,
            claim=self.claimed.claim,
            status=status,
            started_at=self.began_at,
            finished_at=finished_at,
            counts=Counts(**self.counts),
            checkpoint=encode(kept).encode(),
        )
        steps.save(conn, [row])
