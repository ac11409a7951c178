"""What became of a transaction whose commit was not confirmed."""

from enum import Enum

from sqlalchemy import Connection


class Fate(Enum):
    """How a transaction on PostgreSQL has ended, if it has."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    OPEN = "in progress"


def fate(conn: Connection, number: int) -> Fate:
    """What became of the transaction of that number, see `signals.Signals`."""
    said = conn.exec_driver_sql("SELECT txid_status(%s)", (number,)).scalar()
    return Fate(said) if said else Fate.ABORTED
