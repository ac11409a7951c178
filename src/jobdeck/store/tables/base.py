"""What the tables are made of."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes a column its row number only if the type reads INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")
Time = BigInteger
# Never hands out a number again, even that of the newest row once deleted.
NUMBERED: dict[str, Any] = {"sqlite_autoincrement": True}


def number() -> Column[int]:
    """The number of a row."""
    return Column("id", Number, primary_key=True, autoincrement=True)


def limit_columns() -> list[Column[Any]]:
    """How many may run at once, and how many may start in a time; see `limits`."""
    return [
        Column("max_running", Integer),
        Column("rate_count", Integer),
        Column("rate_period_s", Float),
        Column("rate_empty_at", Time),
    ]


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that fit `where`, which a query must repeat to use it."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
