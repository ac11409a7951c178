"""Opening a store and its transactions, on SQLite and PostgreSQL."""

import sys
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobdeck.domain.errors import InvalidValue, StoreError
from jobdeck.store import sqlite
from jobdeck.store.failures import explain, is_busy, is_operational
from jobdeck.store.values import driver
from jobdeck.store.wake import Listener, PostgresListener, SocketListener, poke_socket

T = TypeVar("T")

LOCK_WAIT_S = 20.0
LOCK_RETRY_S = 0.0003
# A connection to PostgreSQL that rested for longer is tried before it is used.
REST_S = 5.0
# A transaction on PostgreSQL whose process has stopped in the middle of it keeps its locks for at
# most so many seconds; none of ours rests so long.
IDLE_TRANSACTION_S = 15
# What a transaction that has itself told the pools on PostgreSQL leaves on its connection.
TOLD = "told"
# What a connection has found out that is not asked for twice, for as long as somebody reads by it.
FOUND = "found"
# Connections kept for writing.
KEPT = 4


def once(conn: Connection, what: Hashable, read: Callable[[], T]) -> T:
    """What `read` gives, which those who only read ask for once."""
    found = conn.info.get(FOUND)
    if found is None:
        return read()
    if what not in found:
        found[what] = read()
    known: T = found[what]
    return known


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


class _Kept:
    """A few connections that are kept after use: taking one from the engine's pool takes longer
    than a small transaction."""

    def __init__(self) -> None:
        self._resting: deque[tuple[Connection, float]] = deque()

    def take(self, engine: Engine) -> Connection:
        """One of them, or a new one; give it back by `keep` or `drop`."""
        try:
            connection, used = self._resting.pop()
        except IndexError:
            return engine.connect()
        rested = engine.dialect.name != "sqlite" and time.monotonic() - used >= REST_S
        if not rested or _lives(connection.connection):
            return connection
        connection.invalidate()
        connection.close()
        return engine.connect()

    def keep(self, connection: Connection) -> None:
        """It has done its work, and may be used again."""
        self._resting.append((connection, time.monotonic()))
        if len(self._resting) > KEPT:
            self._resting.popleft()[0].close()

    @staticmethod
    def drop(connection: Connection, error: BaseException) -> None:
        """It met an error, so what it did is rolled back. Nobody uses it again if it cannot do its
        work: SQLite's stays read-only that was opened while its file was."""
        try:
            if is_operational(error):
                connection.invalidate()
            else:
                connection.rollback()
        except DBAPIError:  # it is lost; why, the error tells
            connection.invalidate()
        connection.close()

    def close(self) -> None:
        """Let go of them."""
        while self._resting:
            self._resting.pop()[0].close()


class Store:
    """One database with everything in it. Safe to share between threads.

    Reading and writing use connections of their own. A write transaction holds SQLite's write
    lock from its begin, so it never fails half-way for want of it.
    """

    def __init__(
        self,
        url: str,
        *,
        durable: bool = False,
        files: Path | None = None,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> None:
        """Prepare, without touching the database yet.

        `durable` makes SQLite wait for the disk at each commit (`synchronous=FULL`);
        `lock_wait_s` is how long a writer waits for SQLite's lock.

        Raises:
            InvalidValue: `url` is not the address of a store.
        """
        self.url = parse_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.lock_wait_s = lock_wait_s
        self._writers = _Kept()
        self._alone = _Kept()
        self._durable = durable
        if self.sqlite:
            self.path: Path | None = Path(self.url.database or "").absolute()
            self.url = self.url.set(database=str(self.path))
            self.reader, self.writer = self._sqlite_engines()
        else:
            self.path = None
            self.reader, self.writer = self._postgres_engines()
        name = f"{self.path}.files" if self.path else "jobdeck.files"
        self.files = (files or Path(name)).absolute()

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
        reader, writer = sqlite.engines(self.url, durable=self._durable, kept=KEPT)
        event.listen(writer, "begin", self._begin)
        self.errors: tuple[type[Exception], ...] = (
            *(DBAPIError, PoolTimeout),
            sqlite.module().Error,
        )
        return reader, writer

    def _postgres_engines(self) -> tuple[Engine, Engine]:
        try:
            writer = create_engine(self.url, pool_size=5, max_overflow=20)
        except ModuleNotFoundError:
            raise StoreError(
                "A store on PostgreSQL needs psycopg; install it with: pip install "
                "'jobdeck[postgres]'"
            ) from None
        event.listen(writer, "connect", _plan_for_short_queries)
        event.listen(writer, "checkin", _note_use)
        event.listen(writer, "checkout", _ping_after_rest)
        self.errors = (DBAPIError, PoolTimeout, writer.dialect.loaded_dbapi.Error)
        return writer.execution_options(isolation_level="AUTOCOMMIT"), writer

    def _begin(self, connection: Connection) -> None:
        """Take SQLite's write lock now, or wait for it; PostgreSQL begins by itself.

        SQLite's own busy handler sleeps ever longer, so that a writer beside a busy pool starves
        (measured: 536 commits a second, stalls over a second); a short even retry does not.
        """
        raw = driver(connection)
        # SQLAlchemy begins when it is first asked for something, which may be later.
        if not self.sqlite or raw.in_transaction:
            return
        deadline = 0.0
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except Exception as error:
                present = time.monotonic()
                deadline = deadline or present + self.lock_wait_s
                if not is_busy(error) or present > deadline:
                    raise
            time.sleep(LOCK_RETRY_S)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees the store and cannot change it.

        Raises:
            StoreError: the database cannot be read; the message says why.
        """
        try:
            with self.reader.connect() as connection:
                info = connection.info  # not to be had of one that is lost meanwhile
                info[FOUND] = {}
                try:
                    yield connection
                finally:
                    info.pop(FOUND, None)
        except self.errors as error:
            raise explain(error, self.name, self.path) from error

    @contextmanager
    def write(self, *, wake: bool = False) -> Iterator[Connection]:
        """A transaction: all of it or nothing. `wake` tells sleeping pools afterwards.

        Raises:
            StoreError: the database cannot be written; nothing has changed.
        """
        connection: Connection | None = None
        sent = False
        try:
            connection = self._writers.take(self.writer)
            self._begin(connection)
            yield connection
            if wake and not self.sqlite and not connection.info.pop(TOLD, False):
                driver(connection).execute(
                    "SELECT pg_notify('jobdeck_wake', '') FROM pools WHERE asleep LIMIT 1"
                )
            sent = True
            if connection.in_transaction():
                connection.commit()
            else:  # all of it went straight to the driver
                driver(connection).commit()
        except BaseException as error:
            if connection is not None:
                self._writers.drop(connection, error)
            if isinstance(error, self.errors):
                raise explain(error, self.name, self.path, sent=sent) from error
            raise
        self._writers.keep(connection)
        if wake and self.path:
            poke_socket(self.path)

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A connection for one statement that wakes the pools itself. On PostgreSQL there is no
        transaction around it, which saves two of three round trips; on SQLite it is as `write`.

        Raises:
            StoreError: the database cannot be written; nothing has changed.
        """
        if self.sqlite:
            with self.write(wake=True) as writing:
                yield writing
            return
        connection: Connection | None = None
        try:
            connection = self._alone.take(self.reader)
            yield connection
        except BaseException as error:
            if connection is not None:
                self._alone.drop(connection, error)
            if isinstance(error, self.errors):
                sent = connection is not None
                raise explain(error, self.name, self.path, sent=sent) from error
            raise
        self._alone.keep(connection)

    def listener(self) -> Listener:
        """What a sleeping pool waits on; see `wake`.

        Raises:
            StoreError: the database cannot be reached.
        """
        if self.path:
            return SocketListener(self.path)
        try:
            return PostgresListener(self.writer)
        except self.errors as error:
            raise explain(error, self.name) from error

    def close(self) -> None:
        """Let go of all connections."""
        self._writers.close()
        self._alone.close()
        self.reader.dispose()
        self.writer.dispose()


def _plan_for_short_queries(dbapi: Any, _record: Any) -> None:
    # Compiling a query, or starting processes for it, takes longer than any of ours does; and
    # all are made for the indexes there are, also before the first ANALYZE.
    for setting in ("jit", "enable_seqscan", "enable_bitmapscan"):
        dbapi.execute(f"SET {setting} = off")
    dbapi.execute("SET max_parallel_workers_per_gather = 0")
    dbapi.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_S}s'")
    dbapi.commit()


def _note_use(_dbapi: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _ping_after_rest(dbapi: Any, record: Any, _proxy: Any) -> None:
    """Ask a connection that has not been used for a while whether it still lives; asking each
    time would cost every enqueue a round trip."""
    used = record.info.get("used")
    if used is not None and time.monotonic() - used > REST_S and not _lives(dbapi):
        raise DisconnectionError("the database has closed the connection")


def _lives(dbapi: Any) -> bool:
    """Whether PostgreSQL still holds the connection."""
    try:
        dbapi.cursor().execute("SELECT 1")
        dbapi.rollback()
    except Exception:  # whatever it is: another one is made
        return False
    return True


if sys.platform == "win32":  # pragma: no cover
    raise ImportError("Jobdeck runs on Linux and macOS; its workers need Unix sockets.")
