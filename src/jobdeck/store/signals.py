"""What a pool looks at in every turn, in one round trip: whether it is to drain, whether anybody
asked for one of its jobs to stop, when a delayed job is due, and whether flows have changed."""

from typing import NamedTuple

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.store.values import driver


class Signals(NamedTuple):
    """`state` is None once the pool has ended, and `due_at` if no job is delayed. `changed`
    counts the changes of flows and pipelines above the number that was asked for, and gives the
    largest of theirs; `newest` is the largest number of any change. `transaction` is the number of
    the one that reads, and below `ended` all have ended, where the database has such numbers: it
    hands out those of changes before commits, so that a smaller one may appear after a larger."""

    state: str | None
    stops: bool
    due_at: Micros | None
    changed: tuple[int, int]
    newest: int
    transaction: int | None = None
    ended: int | None = None


_READ = """
SELECT (SELECT state FROM pools WHERE id = {0}),
    EXISTS (SELECT 1 FROM running WHERE pool_id = {0} AND stop_kind IS NOT NULL),
    (SELECT min(run_at) FROM delayed),
    (SELECT count(*) FROM changes WHERE id > {0} AND topic IN ('flow', 'pipeline')),
    (SELECT max(id) FROM changes WHERE id > {0} AND topic IN ('flow', 'pipeline')),
    (SELECT max(id) FROM changes), {1}
"""
_SQLITE = _READ.format("?", "NULL, NULL")
_POSTGRES = _READ.format("%s", "txid_current(), txid_snapshot_xmin(txid_current_snapshot())")


def read(conn: Connection, pool_id: int, after: int) -> Signals:
    """The signals for the pool; `after` is the number of the change to count from."""
    statement = _SQLITE if conn.dialect.name == "sqlite" else _POSTGRES
    row = driver(conn).execute(statement, (pool_id, pool_id, after, after)).fetchone()
    return Signals(row[0], bool(row[1]), row[2], (row[3], row[4] or 0), row[5] or 0, *row[6:])
