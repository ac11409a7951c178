"""Which transactions of PostgreSQL have ended, and how."""

from enum import Enum

from sqlalchemy import Connection


class Fate(Enum):
    """How a transaction on PostgreSQL has ended, if it has."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    OPEN = "in progress"


def fate(conn: Connection, number: int) -> Fate:
    """What became of the transaction of that number, see `signals.Signals`."""
    # After a failover to a standby that had not heard of it, its number is still to come.
    said = conn.exec_driver_sql(
        "SELECT CASE WHEN %s < txid_current() THEN txid_status(%s) END", (number, number)
    ).scalar()
    return Fate(said) if said else Fate.ABORTED


def begun_below(conn: Connection) -> int:
    """A number that is larger than those of all transactions that write now."""
    return int(conn.exec_driver_sql("SELECT txid_current()").scalar_one())


def ended_below(conn: Connection) -> int:
    """A number below which all transactions have ended."""
    query = "SELECT txid_snapshot_xmin(txid_current_snapshot())"
    return int(conn.exec_driver_sql(query).scalar_one())
