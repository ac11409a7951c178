"""Leases: who of several does what only one may. A holder raises the beat; others time it with
their own clocks, so the clocks of hosts need not agree."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from jobdeck.store.tables import leases
from jobdeck.store.values import insert_into


class Lease(NamedTuple):
    """Who holds it, and how often it was renewed."""

    owner: str
    beat: int


def get(conn: Connection, name: str) -> Lease | None:
    """The lease; in a write transaction nobody else takes it until that ends."""
    if conn.dialect.name != "sqlite":
        # Also where there is no row yet that could be locked.
        conn.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"jobdeck lease {name}"))))
    query = select(leases.c.owner, leases.c.beat).where(leases.c.name == name)
    row = conn.execute(query).first()
    return None if row is None else Lease(row.owner, row.beat)


def put(conn: Connection, name: str, owner: str, beat: int) -> None:
    """Take or renew it, in the transaction that has looked with `get` whether it may."""
    row = insert_into(conn, leases).values(name=name, owner=owner, beat=beat)
    conn.execute(
        row.on_conflict_do_update(index_elements=["name"], set_={"owner": owner, "beat": beat})
    )


def drop(conn: Connection, name: str, owner: str) -> bool:
    """Let go of it, so that another one need not wait; False: `owner` does not hold it."""
    statement = delete(leases).where(leases.c.name == name, leases.c.owner == owner)
    return bool(conn.execute(statement).rowcount)
