"""Creating a store, and migrating one that an older Jobdeck made."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain.errors import StoreCorrupt, StoreUnreachable, StoreVersion
from jobdeck.store.database import LOCK_RETRY_S, Store
from jobdeck.store.failures import explain, is_busy
from jobdeck.store.tables import metadata

NEWEST = "0008"
"""The newest migration; numbers in text, so that a larger one is newer."""

VERSION_TABLE = "jobdeck_version"
_LOCK = 0x6A6F6264  # the advisory lock under which PostgreSQL's schema is changed
_ANALYZE_ROWS = 1000


class SchemaStatus(Struct, frozen=True, kw_only=True):
    """Which version a store has (None: it is not set up yet) and which this program knows."""

    current: str | None
    newest: str

    @property
    def ready(self) -> bool:
        """It can be used as it is."""
        return self.current == self.newest

    @property
    def newer(self) -> bool:
        """A newer Jobdeck made it."""
        return self.current is not None and self.current > self.newest


def status(store: Store) -> SchemaStatus:
    """The version of the store, without changing anything.

    Raises:
        StoreCorrupt: it holds something else.
        StoreError: it cannot be read.
    """
    if store.path and not _size(store, store.path):
        return SchemaStatus(current=None, newest=NEWEST)
    with store.read() as conn:
        return SchemaStatus(current=_version(conn, store), newest=NEWEST)


def ensure(store: Store, *, migrate: bool = True) -> None:
    """Make the store ready for this program: create it, or migrate it to the newest version.

    `migrate=False` creates and changes nothing. Two processes may do this at the same time.

    Raises:
        StoreVersion: a newer Jobdeck made it, or it is older and `migrate` is False.
        StoreCorrupt: it holds something else; nothing was changed.
        StoreUnreachable: it cannot be opened or written; its folder does not exist.
    """
    found = status(store)
    if found.ready:
        return
    if found.newer:
        raise _too_new(store, found)
    if not migrate:
        raise _not_ready(store, found)
    if store.path:
        _use_wal(store, store.path)
    with _changing(store) as conn:
        _bring_to_newest(conn, store)


@contextmanager
def _changing(store: Store) -> Iterator[Connection]:
    """A transaction that nobody else changes the schema beside."""
    try:
        with store.writer.connect() as conn:
            _foreign_keys(conn, store, on=False)
            try:
                with conn.begin():
                    if not store.sqlite:
                        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                    yield conn
            finally:
                _foreign_keys(conn, store, on=True)
    except store.errors as error:
        raise explain(error, store.name, store.path) from error


def _foreign_keys(conn: Connection, store: Store, *, on: bool) -> None:
    # SQLite changes a table by building it anew, which its foreign keys would forbid; it
    # ignores this pragma inside a transaction, so this goes around SQLAlchemy's.
    if store.sqlite:
        driver: Any = conn.connection.driver_connection
        driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def _bring_to_newest(conn: Connection, store: Store) -> None:
    found = SchemaStatus(current=_version(conn, store), newest=NEWEST)
    if found.newer:
        raise _too_new(store, found)
    if found.ready:
        return  # another process was quicker
    if found.current is None:
        metadata.create_all(conn)
        conn.exec_driver_sql(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
        conn.exec_driver_sql(
            f"INSERT INTO {VERSION_TABLE} VALUES ('{NEWEST}')"  # noqa: S608
        )
        return
    # Only here, because it takes longer to import than all the rest.
    from jobdeck.store.migrations import upgrade

    upgrade(conn)
    if store.sqlite:
        conn.exec_driver_sql(f"PRAGMA analysis_limit={_ANALYZE_ROWS}")
        conn.exec_driver_sql("ANALYZE")


def _version(conn: Connection, store: Store) -> str | None:
    if store.sqlite:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    else:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    names = set(conn.exec_driver_sql(query).scalars())
    if not names:
        return None
    version: str | None = None
    if VERSION_TABLE in names:
        query = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608
        version = conn.exec_driver_sql(query).scalar()
    if version is None:
        some = ", ".join(sorted(names)[:3])
        raise StoreCorrupt(
            f"The store {store.name} is a database of something else (it has the tables {some}); "
            "nothing was changed. Name another one with --store."
        )
    return version


def _size(store: Store, path: Path) -> int:
    """The bytes of the file; 0: there is none in a folder that there is."""
    try:
        if not path.parent.is_dir():
            raise StoreUnreachable(
                f"The store {store.name} cannot be created: the folder {path.parent} does not "
                "exist. Create it, or name another file with --store."
            )
        if path.is_dir():
            raise StoreUnreachable(
                f"The store {store.name} cannot be opened: {path} is not a file. Name a file with "
                "--store."
            )
        return path.stat().st_size if path.exists() else 0
    except OSError as error:
        raise _denied(store, error) from error


def _denied(store: Store, error: OSError) -> StoreUnreachable:
    return StoreUnreachable(
        f"The store {store.name} cannot be opened or created: {error.strerror}. Check the owner "
        "and mode of its folder, or name another file with --store."
    )


def _use_wal(store: Store, path: Path) -> None:
    """Create the file if need be, and let readers and the writer work side by side."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        raw = store.writer.raw_connection()
    except OSError as error:
        raise _denied(store, error) from error
    except store.errors as error:
        raise explain(error, store.name, path) from error
    try:
        mode = _pragma_wal(store, raw.driver_connection)
    finally:
        raw.close()
    if mode != "wal":
        raise StoreUnreachable(
            f"The store {store.name} cannot be used: its file system does not support SQLite's "
            "write-ahead log. Put it on a local disk."
        )


def _pragma_wal(store: Store, connection: Any) -> str:
    deadline = time.monotonic() + store.lock_wait_s
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except store.errors as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise explain(error, store.name, store.path) from error
        time.sleep(LOCK_RETRY_S)


def _too_new(store: Store, found: SchemaStatus) -> StoreVersion:
    return StoreVersion(
        f"The store {store.name} has version {found.current}, and this program knows versions up "
        f"to {found.newest}. Upgrade Jobdeck: pip install --upgrade jobdeck"
    )


def _not_ready(store: Store, found: SchemaStatus) -> StoreVersion:
    if found.current is None:
        return StoreVersion(
            f"The store {store.name} is not set up yet. Create it with: jobdeck db migrate"
        )
    return StoreVersion(
        f"The store {store.name} has version {found.current}, and this program needs "
        f"{found.newest}. Migrate it with: jobdeck db migrate"
    )
