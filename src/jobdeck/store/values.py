"""Values as the store keeps them: JSON is text, and no text holds what PostgreSQL cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Row, Table

from jobdeck.domain.records import JobError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

_encoder = msgspec.json.Encoder()
_error = msgspec.json.Decoder(JobError)

AnyRow = Row[*tuple[Any, ...]]

NUMBER_MAX = 2**63 - 1


def encode(value: Any) -> str:
    """The value as JSON text."""
    return _encoder.encode(value).decode()


def encode_or_none(value: Any) -> str | None:
    """The value as JSON text; None stays None."""
    return None if value is None else encode(value)


def decode(text: str | None) -> Any:
    """What the JSON text says; None stays None."""
    return None if text is None else msgspec.json.decode(text)


def decode_error(text: str | None) -> JobError | None:
    """The error that a job's row or an attempt's keeps."""
    return None if not text else _error.decode(text)


def clean(text: str) -> str:
    """The text without NUL characters, which PostgreSQL refuses."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def is_number(number: int) -> bool:
    """Whether a database can hold it, so that it may be asked for."""
    return -NUMBER_MAX <= number <= NUMBER_MAX


def driver(conn: Connection) -> Any:
    """The driver's own connection, in the same transaction: for the few statements that come
    with every turn of a pool, for which SQLAlchemy takes several times as long as SQLite."""
    return conn.connection.driver_connection


def insert_into(conn: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, the same on both databases."""
    # Only the dialect in use: each takes its time and memory.
    if conn.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
