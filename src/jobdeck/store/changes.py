"""What changed lately, for live pages and scripts."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Change
from jobdeck.store.rows import insert_rows
from jobdeck.store.tables import changes
from jobdeck.store.values import NUMBER_MAX


def add(conn: Connection, at: Micros, rows: Sequence[tuple[str, str, str]]) -> None:
    """Tell of changes, each a topic, a reference and a kind; see `Change`."""
    insert_rows(conn, changes, ("at", "topic", "ref", "kind"), [(at, *row) for row in rows])


def after(conn: Connection, change_id: int, limit: int = 500) -> list[Change]:
    """What changed after that number, the oldest first."""
    query = (
        select(changes)
        .where(changes.c.id > min(change_id, NUMBER_MAX))
        .order_by(changes.c.id)
        .limit(limit)
    )
    return [
        Change(id=row.id, at=row.at, topic=row.topic, ref=row.ref, kind=row.kind)
        for row in conn.execute(query)
    ]


def latest_id(conn: Connection) -> int:
    """The number of the newest change; 0: there is none."""
    return conn.execute(select(func.max(changes.c.id))).scalar() or 0


def trim(conn: Connection, before: Micros) -> int:
    """Forget what changed before then, but never the newest; gives how many."""
    newest = select(func.max(changes.c.id)).scalar_subquery()
    statement = delete(changes).where(changes.c.at < before, changes.c.id < newest)
    return conn.execute(statement).rowcount
