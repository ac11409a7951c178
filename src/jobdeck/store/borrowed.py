"""A connection of the caller's own, so that jobs are created in the transaction that it is in.

The driver's own connection is used, whoever brought it, and only what it takes to create jobs is
asked of it. It is never committed, rolled back or closed here.
"""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection

from jobdeck.domain.errors import InvalidValue, WrongState
from jobdeck.store import sqlite
from jobdeck.store.counters import OWN_SHARD
from jobdeck.store.database import Store
from jobdeck.store.failures import explain

_KINDS = (
    "a SQLAlchemy Connection, or one of psycopg (PostgreSQL) or sqlite3 (SQLite); of an ORM "
    "session give session.connection()"
)
# The same only for the same tables of the same database, whatever names and paths lead there.
_WHERE = """
SELECT current_database()::text, extract(epoch FROM pg_postmaster_start_time())::text,
    to_regclass('jobs')::oid::bigint, to_regclass('ready')::oid::bigint,
    to_regclass('counters')::oid::bigint
"""


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name


class _Holder:
    def __init__(self, driver: Any) -> None:
        self.driver_connection = driver


class _Result:
    """The rows of a statement, read as those of SQLAlchemy are."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.rowcount: int = cursor.rowcount

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._cursor.fetchall())

    def scalars(self) -> Iterator[Any]:
        return iter([row[0] for row in self._cursor.fetchall()])

    def scalar_one(self) -> Any:
        return self._cursor.fetchone()[0]


class Borrowed:
    """As much of SQLAlchemy's Connection as creating jobs takes."""

    def __init__(self, driver: Any, name: str) -> None:
        self.dialect = _Named(name)
        self.connection = _Holder(driver)
        self.info: dict[str, Any] = {}
        self._driver = driver

    def exec_driver_sql(self, statement: str, parameters: Any = ()) -> _Result:
        """Execute it as the driver does; with a list of tuples once for each."""
        cursor = self._cursor()
        if isinstance(parameters, list):
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters)
        return _Result(cursor)

    def _cursor(self) -> Any:
        if self.dialect.name == "sqlite":
            cursor = self._driver.cursor()
            cursor.row_factory = None
            return cursor
        import psycopg

        # The caller's own kinds of cursors and rows may be any.
        return psycopg.Cursor(self._driver, row_factory=psycopg.rows.tuple_row)

    @contextmanager
    def begin_nested(self) -> Iterator[None]:
        """A savepoint: what fails within it leaves the caller's transaction as it was."""
        self.exec_driver_sql("SAVEPOINT jobdeck")
        try:
            yield
        except BaseException:
            self.exec_driver_sql("ROLLBACK TO SAVEPOINT jobdeck")
            self.exec_driver_sql("RELEASE SAVEPOINT jobdeck")
            raise
        self.exec_driver_sql("RELEASE SAVEPOINT jobdeck")


class Borrower:
    """Takes connections of callers for the transactions that they are in, of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._where: tuple[Any, ...] = ()

    def driver_of(self, connection: Any) -> Any:
        """The driver's connection under it, which is in a transaction or about to begin one.

        Raises:
            InvalidValue: it is no such connection, or one of another database.
            WrongState: it commits each statement by itself.
        """
        driver = connection
        if isinstance(connection, Connection):
            driver = connection.connection.driver_connection
        with self._explained():
            if self._store.sqlite:
                self._check_sqlite(driver)
            else:
                self._check_postgres(driver)
        return driver

    def has_begun(self, driver: Any) -> bool:
        """Whether its transaction sees the database as it was when it began."""
        return bool(self._store.sqlite and driver.in_transaction)

    @contextmanager
    def within(self, connection: Any, driver: Any) -> Iterator[Connection]:
        """What to create jobs with."""
        if isinstance(connection, Connection) and not connection.in_transaction():
            connection.begin()
        borrowed = Borrowed(driver, "sqlite" if self._store.sqlite else "postgresql")
        with self._explained():
            if not self._store.sqlite:
                # Counters of its own: nobody else waits for the caller to commit.
                pid = borrowed.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
                borrowed.info[OWN_SHARD] = -pid
            elif not driver.in_transaction:
                borrowed.exec_driver_sql(f"BEGIN {driver.isolation_level or ''}")
            yield cast(Connection, borrowed)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._store.errors as error:
            raise explain(error, self._store.name, self._store.path) from error

    def _check_sqlite(self, driver: Any) -> None:
        module = sqlite.module()
        if not isinstance(driver, module.Connection):
            if isinstance(driver, sqlite3.Connection):
                raise _other_library(module.__name__)
            raise _no_connection(driver)
        path = next(row[2] for row in driver.execute("PRAGMA database_list") if row[1] == "main")
        assert self._store.path is not None
        if not path or not _same_file(path, self._store.path):
            raise self._elsewhere(path or "a database in memory")
        explicit = driver.isolation_level is None and getattr(driver, "autocommit", -1) in (
            -1,
            True,
        )
        if explicit and not driver.in_transaction:
            raise _autocommit("execute BEGIN")

    def _check_postgres(self, driver: Any) -> None:
        psycopg = sys.modules.get("psycopg")
        if psycopg is None or not isinstance(driver, psycopg.Connection):
            raise _no_connection(driver)
        idle = driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if driver.autocommit and idle:
            raise _autocommit("use `with connection.transaction():`")
        where = tuple(Borrowed(driver, "postgresql").exec_driver_sql(_WHERE).fetchall()[0])
        if where != self._where:
            with self._store.read() as conn:
                self._where = tuple(conn.exec_driver_sql(_WHERE).one())
        if where != self._where:
            raise self._elsewhere(f"database {where[0]} of {driver.info.host or 'its server'}")

    def _elsewhere(self, where: str) -> InvalidValue:
        return InvalidValue(
            "connection",
            f"leads to {where}, and the store is {self._store.name}: a transaction cannot hold "
            "both. Create the job without a connection, after the transaction",
        )


def _no_connection(given: object) -> InvalidValue:
    return InvalidValue("connection", f"a {type(given).__name__} will not do; give {_KINDS}")


def _other_library(name: str) -> InvalidValue:
    # Each would let go of the other's locks on the file when it closes a connection.
    return InvalidValue(
        "connection",
        f"is one of sqlite3, and the store is open with {name}: two SQLite libraries in one "
        f"process undo each other's locks. Open yours with {name}, too: {name}.connect(...) or "
        f"create_engine(..., module={name})",
    )


def _autocommit(how: str) -> WrongState:
    return WrongState(
        "The connection commits each statement by itself, so the job could not be taken back with "
        f"your own changes; begin a transaction first ({how})."
    )


def _same_file(one: str, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False
