"""Opening a store and its transactions, on SQLite and PostgreSQL."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from jobdeck.domain.errors import InvalidValue, StoreError
from jobdeck.store.failures import explain, is_busy
from jobdeck.store.wake import Listener, PostgresListener, SocketListener, poke_socket

LOCK_WAIT_S = 20.0
LOCK_RETRY_S = 0.0003
# A checkpoint every 40 MB of log instead of 4: measured 12 % more jobs a second.
WAL_PAGES = 10_000


def sqlite_module() -> ModuleType:
    """The SQLite library to use: the stdlib's is often older than 3.51.3, which mended a bug
    that could corrupt a database in WAL mode."""
    try:
        import pysqlite3  # noqa: PLC0415
    except ImportError:
        return sqlite3
    module: ModuleType = pysqlite3
    return module


def parse_url(text: str) -> URL:
    """The address of a store.

    Raises:
        InvalidValue: it is not one of SQLite or PostgreSQL.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        backend, url = "", URL.create("none")
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise InvalidValue(
        "store",
        f"{text!r} is not the address of a store; write sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/DATABASE",
    )


class Store:
    """One database with everything in it. Safe to share between threads.

    Reading and writing use connections of their own. A write transaction holds SQLite's write
    lock from its begin, so it never fails half-way for want of it.
    """

    def __init__(self, url: str, *, durable: bool = False, files: Path | None = None) -> None:
        """Prepare, without touching the database yet.

        `durable` makes SQLite wait for the disk at each commit (`synchronous=FULL`).

        Raises:
            InvalidValue: `url` is not the address of a store.
        """
        self.url = parse_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._durable = durable
        if self.sqlite:
            self.path: Path | None = Path(self.url.database or "").absolute()
            self.url = self.url.set(database=str(self.path))
            self.reader, self.writer = self._sqlite_engines()
        else:
            self.path = None
            self.reader, self.writer = self._postgres_engines()
        base = self.path.with_name(self.path.name + ".files") if self.path else Path("jobdeck.files")
        self.files = (files or base).absolute()

    @property
    def name(self) -> str:
        """The address for messages and pages, without a password."""
        if self.path:
            return f"sqlite:///{self.path}"
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)

    @property
    def address(self) -> str:
        """The address as one gives it, with the password."""
        if self.path:
            return f"sqlite:///{self.path}"
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def _sqlite_engines(self) -> tuple[Engine, Engine]:
        def connect(dbapi: Any, _record: Any, *, writing: bool) -> None:
            dbapi.isolation_level = None
            pragmas = ["foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32000"]
            if writing:
                level = "FULL" if self._durable else "NORMAL"
                pragmas += [
                    "busy_timeout=0",
                    f"synchronous={level}",
                    f"wal_autocheckpoint={WAL_PAGES}",
                ]
            else:
                pragmas += ["busy_timeout=5000", "query_only=ON", "mmap_size=268435456"]
            for pragma in pragmas:
                dbapi.execute(f"PRAGMA {pragma}")

        engines = []
        for writing in (False, True):
            engine = create_engine(
                self.url,
                module=sqlite_module(),
                connect_args={"timeout": 0, "check_same_thread": False},
                pool_size=4 if writing else 12,
                max_overflow=0 if writing else 20,
                skip_autocommit_rollback=True,
            )
            event.listen(
                engine, "connect", lambda d, r, writing=writing: connect(d, r, writing=writing)
            )
            event.listen(engine, "begin", _begin_immediate if writing else _begin_deferred)
            engines.append(engine)
        return engines[0], engines[1]

    def _postgres_engines(self) -> tuple[Engine, Engine]:
        try:
            writer = create_engine(self.url, pool_size=5, max_overflow=20, pool_pre_ping=True)
        except ModuleNotFoundError:
            raise StoreError(
                "A store on PostgreSQL needs psycopg; install it with: pip install "
                "'jobdeck[postgres]'"
            ) from None
        return writer.execution_options(isolation_level="AUTOCOMMIT"), writer

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees the store and cannot change it.

        Raises:
            StoreError: the database cannot be read; the message says why.
        """
        try:
            with self.reader.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise explain(error, self.name) from error

    @contextmanager
    def write(self, *, wake: bool = False) -> Iterator[Connection]:
        """A transaction: all of it or nothing. `wake` tells sleeping pools afterwards.

        Raises:
            StoreError: the database cannot be written; nothing has changed.
        """
        try:
            with self.writer.begin() as connection:
                yield connection
                if wake and not self.sqlite:
                    connection.exec_driver_sql(
                        "SELECT pg_notify('jobdeck_wake', '') FROM pools WHERE asleep LIMIT 1"
                    )
        except DBAPIError as error:
            raise explain(error, self.name) from error
        if wake and self.path:
            poke_socket(self.path)

    def listener(self) -> Listener:
        """What a sleeping pool waits on; see `wake`."""
        if self.path:
            return SocketListener(self.path)
        return PostgresListener(self.writer)

    def close(self) -> None:
        """Let go of all connections."""
        self.reader.dispose()
        self.writer.dispose()


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock now, or wait for it.

    SQLite's own busy handler sleeps ever longer, so that a writer beside a busy pool starves
    (measured: 536 commits a second, stalls over a second); a short even retry does not.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    cursor = connection.connection.cursor()
    try:
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return
            except Exception as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(LOCK_RETRY_S)
    finally:
        cursor.close()


if sys.platform == "win32":  # pragma: no cover
    raise ImportError("Jobdeck runs on Linux and macOS; its workers need Unix sockets.")
