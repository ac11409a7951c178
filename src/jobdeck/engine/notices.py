"""Telling live pages and scripts what changed, without a row for each job of a flood."""

from collections.abc import Iterable

from sqlalchemy import Connection

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.store import changes

EVERY = SECOND // 5
NAMED = 20
"""More jobs than this at once are told as a crowd."""


class Notices:
    """Gathers the numbers of changed jobs and writes them at most five times a second."""

    def __init__(self) -> None:
        self._jobs: set[int] = set()
        self._crowd = False
        self._written_at: Micros = 0

    def add(self, job_ids: Iterable[int]) -> None:
        """These have changed."""
        if self._crowd:
            return
        self._jobs.update(job_ids)
        if len(self._jobs) > NAMED:
            self._crowd = True
            self._jobs.clear()

    def due_at(self) -> Micros | None:
        """When there is something to write, if there is."""
        return self._written_at + EVERY if self._jobs or self._crowd else None

    def move(self, by: Micros) -> None:
        """The clock was set by so much."""
        self._written_at += by

    def write(self, conn: Connection, now: Micros) -> None:
        """Write what is due."""
        due = self.due_at()
        if due is None or now < due:
            return
        rows = [("jobs", "", "crowd" if self._crowd else "some")]
        rows += [("job", str(job), "changed") for job in sorted(self._jobs)]
        changes.add(conn, now, rows)
        self._jobs.clear()
        self._crowd = False
        self._written_at = now
