"""Keeping the index of parameters: a little in each turn of maintenance."""

import time

from sqlalchemy import Connection, func, select

from jobdeck.store import params, periods
from jobdeck.store.database import Store
from jobdeck.store.tables import pipelines

TURN_S = 0.1
"""At most about so long in one turn, in transactions of some milliseconds each."""


class Indexer:
    """Takes jobs into the index of parameters; see `store.params`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settling = Settling()
        self._seen: tuple[object, object] = (None, None)

    def turn(self) -> None:
        """Go on from where the last turn ended."""
        with self._store.read() as conn:
            query = select(func.max(pipelines.c.updated_at), func.count())
            stamp = tuple(conn.execute(query).one())
            settled = self._settling.upto(conn)
        if stamp != self._seen:
            with self._store.write() as conn:
                params.declare(conn, settled)
            self._seen = stamp
        end = time.monotonic() + TURN_S
        with self._store.read() as conn:
            due = params.due(conn, settled)
        while due and time.monotonic() < end:
            with self._store.write() as conn:
                due = params.advance(conn, settled)


class Settling:
    """Up to which number no job is still to appear. On PostgreSQL a transaction may hold a
    smaller number than others that are to be seen already, until it ends."""

    def __init__(self) -> None:
        self._before = self._mark = self._settled = 0
        self._running: int | None = None

    def upto(self, conn: Connection) -> int:
        """That number as it is now; it may lag behind by two calls."""
        if conn.dialect.name == "sqlite":
            return periods.newest(conn)
        last, called = conn.exec_driver_sql("SELECT last_value, is_called FROM jobs_id_seq").one()
        oldest, following = conn.exec_driver_sql(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
            "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        ).one()
        if self._running is None:
            # Who drew a number before the last call has begun to write by now.
            self._mark, self._running = self._before, following
        elif oldest >= self._running:
            self._settled, self._running = self._mark, None
        self._before = last if called else 0
        return self._settled
