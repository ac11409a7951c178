"""What a store says when it is opened, created or cannot be used."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from jobdeck.domain.errors import (
    InvalidValue,
    StoreCorrupt,
    StoreError,
    StoreUnreachable,
    StoreVersion,
)
from jobdeck.store import database, queues, schema, sqlite
from jobdeck.store.database import Store, parse_url
from jobdeck.store.failures import explain
from jobdeck.store.tables import jobs
from tests.store import processes
from tests.stores import Cluster


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobdeck.db"


def opened(file: Path, lock_wait_s: float = 60.0) -> Store:
    return Store(f"sqlite:///{file}", lock_wait_s=lock_wait_s)


def created(file: Path) -> Store:
    store = opened(file)
    schema.ensure(store)
    return store


def test_a_store_is_created_once_and_then_left_alone(file: Path) -> None:
    store = opened(file)
    assert schema.status(store).current is None
    schema.ensure(store)
    assert schema.status(store).ready
    with store.write() as conn:
        queues.ensure(conn, "mail")
    schema.ensure(store)
    with store.read() as conn:
        assert list(queues.ids(conn)) == ["mail"]
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_opening_a_store_that_is_current_takes_no_migrations(file: Path) -> None:
    created(file).close()
    program = (
        "import sys; from jobdeck.store import schema; from jobdeck.store.database import Store; "
        "schema.ensure(Store(sys.argv[1])); print('alembic' in sys.modules)"
    )
    assert processes.finish(processes.start(program, f"sqlite:///{file}")) == "False"


def test_the_newest_sqlite_there_is_serves(file: Path) -> None:
    store = created(file)
    version = store.writer.dialect.loaded_dbapi.sqlite_version
    assert version == sqlite.module().sqlite_version
    assert store.reader.dialect.loaded_dbapi.sqlite_version == version


def test_nothing_is_created_by_looking(file: Path) -> None:
    store = opened(file)
    with (
        pytest.raises(StoreUnreachable, match=r"no store at .*jobdeck db migrate"),
        store.read() as c,
    ):
        queues.ids(c)
    with pytest.raises(StoreUnreachable, match="There is no store at"), store.write():
        pass
    with pytest.raises(StoreVersion, match="not set up yet"):
        schema.ensure(store, migrate=False)
    assert not file.exists()


def test_an_empty_file_becomes_a_store(file: Path) -> None:
    file.touch()
    assert schema.status(created(file)).ready


def test_a_store_without_tables_asks_for_a_migration(file: Path) -> None:
    file.touch()
    with pytest.raises(StoreVersion, match="not set up for this version"), opened(file).read() as c:
        queues.ids(c)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    store = opened(tmp_path / "nowhere" / "jobdeck.db")
    with pytest.raises(StoreUnreachable, match=f"the folder {tmp_path}/nowhere does not exist"):
        schema.ensure(store)
    with pytest.raises(StoreUnreachable, match=r"the folder .*nowhere does not exist"):
        store.read().__enter__()
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="is not a file"):
        schema.ensure(opened(tmp_path))


def test_something_else_is_left_untouched(file: Path) -> None:
    file.write_text("Dear diary, this is no database at all. " * 50)
    before = file.read_bytes()
    with pytest.raises(StoreCorrupt, match="damaged or not a Jobdeck store"):
        schema.ensure(opened(file))
    assert file.read_bytes() == before


def test_another_database_is_left_untouched(file: Path) -> None:
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE wines (name TEXT)")
    other.execute("CREATE TABLE alembic_version (version_num TEXT)")
    other.commit()
    other.close()
    before = file.read_bytes()
    with pytest.raises(StoreCorrupt, match=r"something else \(.*wines\).*nothing was changed"):
        schema.ensure(opened(file))
    assert file.read_bytes() == before


def test_another_postgres_database_is_left_untouched(cluster: Cluster) -> None:
    store = Store(cluster.create(empty=True))
    with store.write() as conn:
        conn.exec_driver_sql("CREATE TABLE wines (name TEXT)")
    with pytest.raises(StoreCorrupt, match=r"something else \(.*wines\).*nothing was changed"):
        schema.ensure(store)
    store.close()


def test_a_newer_store_asks_for_an_upgrade(store: Store) -> None:
    with store.write() as conn:
        conn.exec_driver_sql("UPDATE jobdeck_version SET version_num = '9999'")
    with pytest.raises(StoreVersion, match=r"has version 9999.*pip install --upgrade jobdeck"):
        schema.ensure(store)


def test_a_damaged_file_is_called_so(file: Path) -> None:
    created(file).close()
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    store = opened(file)
    with pytest.raises(StoreCorrupt, match="Restore a backup"), store.write() as conn:
        queues.ensure(conn, "mail")


def test_a_full_disk_is_called_so(file: Path) -> None:
    store = created(file)
    with store.write() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with (
        pytest.raises(StoreUnreachable, match="the disk is full; free some"),
        store.write() as conn,
    ):
        conn.exec_driver_sql("INSERT INTO queues (name) VALUES (?)", ("mail" * 100_000,))
    with store.read() as conn:
        assert queues.ids(conn) == {}


NOBODY = 65534

_WRITE = """
import os, sys
from jobdeck.domain.errors import JobdeckError
from jobdeck.store import database, queues, schema
from jobdeck.store.database import Store
schema.ensure(Store(sys.argv[2]))  # all that is imported late
if os.geteuid() == 0:
    os.setuid(int(sys.argv[3]))
store = Store(sys.argv[1])
try:
    schema.ensure(store)
    with store.write() as conn:
        queues.ensure(conn, "mail")
except JobdeckError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that other users can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="jobdeck-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_another_user(store: str, other: Path) -> str:
    """What writing says to somebody who may only read, whoever runs the tests."""
    return processes.finish(processes.start(_WRITE, store, f"sqlite:///{other}", str(NOBODY)))


def test_a_read_only_file_is_called_so(readable: Path, tmp_path: Path) -> None:
    file = readable / "jobdeck.db"
    created(file).close()
    file.chmod(0o444)
    readable.chmod(0o555)
    said = as_another_user(f"sqlite:///{file}", tmp_path / "other.db")
    readable.chmod(0o755)
    assert said.startswith("StoreUnreachable The store")
    assert "read-only" in said or "cannot be opened; check the owner and mode" in said


def test_a_folder_that_cannot_be_written_is_called_so(readable: Path, tmp_path: Path) -> None:
    readable.chmod(0o555)
    said = as_another_user(f"sqlite:///{readable}/jobdeck.db", tmp_path / "other.db")
    readable.chmod(0o755)
    assert said.startswith("StoreUnreachable The store")
    assert "cannot be opened or created: Permission denied" in said


def test_a_folder_that_hides_its_files_is_called_so(readable: Path, tmp_path: Path) -> None:
    readable.chmod(0o700)
    said = as_another_user(f"sqlite:///{readable}/inside/jobdeck.db", tmp_path / "other.db")
    assert "Permission denied. Check the owner" in said


_HOLD = """
import sys
from jobdeck.store.database import Store
with Store(sys.argv[1]).write():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_writer_waits_for_another_process(file: Path) -> None:
    store = created(file)
    holder = processes.start(_HOLD, f"sqlite:///{file}")
    assert processes.line(holder) == "held"
    impatient = opened(file, lock_wait_s=0.2)
    with pytest.raises(StoreUnreachable, match="another process holds its"), impatient.write():
        pass
    with store.read() as conn:
        assert queues.ids(conn) == {}
    processes.tell(holder)
    with store.write() as conn:
        queues.ensure(conn, "mail")
    processes.finish(holder)


_ENSURE = """
import sys
from jobdeck.store import schema
from jobdeck.store.database import Store
store = Store(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
schema.ensure(store)
with store.read() as conn:
    print(conn.exec_driver_sql("SELECT count(*) FROM jobs").scalar())
"""


def ensure_together(store: str) -> None:
    starting = [processes.start(_ENSURE, store) for _ in range(3)]
    for process in starting:
        assert processes.line(process) == "here"
    for process in starting:
        processes.tell(process)
    assert [processes.finish(process) for process in starting] == ["0"] * 3


def test_processes_that_create_the_same_file_agree(file: Path) -> None:
    ensure_together(f"sqlite:///{file}")
    assert schema.status(opened(file)).ready


def test_processes_that_create_the_same_postgres_store_agree(cluster: Cluster) -> None:
    address = cluster.create(empty=True)
    ensure_together(address)
    cluster.drop(address)


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.write() as conn:
            queues.ensure(conn, "mail")
            parse_url("")

    with pytest.raises(InvalidValue):
        fail()
    with store.write() as conn:
        assert queues.ids(conn) == {}
        queues.ensure(conn, "etl")
    with store.read() as conn:
        assert list(queues.ids(conn)) == ["etl"]


def test_a_read_ends_its_snapshot(file: Path) -> None:
    store = created(file)
    for name in ("a", "b"):
        with store.write() as conn:
            queues.ensure(conn, name)
        with store.read() as conn:
            assert name in queues.ids(conn)
    with pytest.raises(StoreError, match="read-only"), store.read() as conn:
        queues.ensure(conn, "c")


@pytest.mark.parametrize(
    "url", ["", "jobs.db", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "sqlite:///"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"store: .*sqlite:///FILE"):
        Store(url)


def test_a_password_is_not_told() -> None:
    store = Store("postgres://ann:secret@localhost:1/jobs")
    assert "secret" not in store.name
    assert "secret" in store.address
    with pytest.raises(StoreUnreachable, match="cannot be reached") as error:
        schema.ensure(store)
    assert "secret" not in str(error.value)


@pytest.fixture
def cut(cluster: Cluster) -> Iterator[tuple[Store, Callable[[], None]]]:
    """A store on PostgreSQL, and what makes the server close all its connections."""
    address = cluster.create()
    store, other = Store(address), Store(address)

    def cut_all() -> None:
        with other.read() as conn:
            conn.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    yield store, cut_all
    store.close()
    other.close()
    cluster.drop(address)


def use(store: Store) -> None:
    with store.write() as conn:
        queues.ensure(conn, "mail")
    with store.read() as conn:
        assert list(queues.ids(conn)) == ["mail"]


def test_a_postgres_that_comes_back_is_used_again(cut: tuple[Store, Callable[[], None]]) -> None:
    store, cut_all = cut
    use(store)
    cut_all()
    with pytest.raises(StoreUnreachable, match="cannot be reached"), store.read() as conn:
        queues.ids(conn)
    with pytest.raises(StoreUnreachable, match="cannot be reached"):
        use(store)
    with contextlib.suppress(StoreUnreachable):
        use(store)
    use(store)


def test_connections_that_rested_are_tried_before_they_are_used(
    cut: tuple[Store, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, cut_all = cut
    use(store)
    cut_all()
    monkeypatch.setattr(database, "REST_S", 0.0)
    use(store)


def test_a_deadlock_is_called_so() -> None:
    class OperationalError(Exception):
        pass

    said = "deadlock detected\nDETAIL:  Process 1 waits for ShareLock; blocked by process 2."
    assert "conflicting changes; try again" in str(explain(OperationalError(said), "here"))


def test_a_statement_with_a_limit_is_planned_once(store: Store) -> None:
    """SQLite plans `LIMIT ?` anew at each execution: a claim took twice as long."""
    query = select(jobs.c.id).order_by(jobs.c.id).limit(5).compile(store.reader)
    assert ("LIMIT +" in str(query)) is store.sqlite
