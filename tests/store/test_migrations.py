"""Stores of older versions become as new ones are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    MigrateOperation,
    ModifyTableOps,
    UpgradeOps,
)
from sqlalchemy import Column, Connection, Text, inspect

from jobdeck.domain.errors import StoreError, StoreVersion
from jobdeck.store import migrations, queues, schema
from jobdeck.store.database import Store
from jobdeck.store.migrations.__main__ import render
from tests.stores import Cluster


@pytest.fixture
def empty(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database with nothing in it."""
    if database == "sqlite":
        file = tmp_path / "empty.db"
        file.touch()
        address = f"sqlite:///{file}"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        address = cluster.create(empty=True)
    store = Store(address)
    yield store
    store.close()


def described(conn: Connection) -> dict[str, object]:
    """Everything that the database knows of its tables."""
    seen = inspect(conn)
    if conn.dialect.name == "sqlite":
        rows = conn.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        # In which order a table names its constraints says nothing.
        return {
            name: sorted(re.split(r",(?=CONSTRAINT)|\)$", "".join(sql.split()).replace('"', "")))
            for name, sql in rows
        }
    options = conn.exec_driver_sql(
        "SELECT relname, array_to_string(reloptions, ',') FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    found: dict[str, object] = dict(options.all())
    for table in seen.get_table_names():
        found[f"{table} columns"] = [
            {**column, "type": str(column["type"])} for column in seen.get_columns(table)
        ]
        found[f"{table} keys"] = (
            seen.get_pk_constraint(table),
            sorted(map(str, seen.get_foreign_keys(table))),
            sorted(map(str, seen.get_unique_constraints(table))),
            sorted(map(str, seen.get_indexes(table))),
        )
    return found


def test_migrations_make_the_same_schema_as_a_new_store_has(empty: Store, store: Store) -> None:
    with empty.write() as conn:
        migrations.upgrade(conn)
        ops = migrations.differences(conn).upgrade_ops
        assert ops is not None
        assert ops.as_diffs() == []
    with empty.read() as conn:
        migrated = described(conn)
    with store.read() as conn:
        assert described(conn) == migrated
    assert schema.status(empty).ready


def test_the_newest_migration_is_the_one_that_stores_are_made_with() -> None:
    assert migrations.scripts().get_current_head() == schema.NEWEST


_NEXT = '''
"""The next."""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{newest}"


def upgrade() -> None:
    {body}
    pass
'''


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newer program, with one more migration."""
    folder = tmp_path / "migrations" / "versions"
    shutil.copytree(migrations.VERSIONS, folder)
    newest = f"{int(schema.NEWEST) + 1:04}"
    file = folder / f"{newest}_next.py"
    # For the second of them SQLite builds the table anew.
    changes: list[MigrateOperation] = [
        AddColumnOp("queues", Column("colour", Text)),
        AlterColumnOp("queues", "paused_by", existing_type=Text(), modify_nullable=True),
    ]
    body = render(UpgradeOps([ModifyTableOps("queues", changes)]))
    file.write_text(_NEXT.format(revision=newest, newest=schema.NEWEST, body=body))
    monkeypatch.setattr(migrations, "VERSIONS", folder)
    monkeypatch.setattr(schema, "NEWEST", newest)
    return file


def test_an_older_store_is_migrated_with_its_data(store: Store, next_version: Path) -> None:
    with store.write() as conn:
        queues.ensure(conn, "mail")
    with pytest.raises(StoreVersion, match="jobdeck db migrate"):
        schema.ensure(store, migrate=False)
    schema.ensure(store)
    assert schema.status(store).current == schema.NEWEST
    with store.read() as conn:
        rows = conn.exec_driver_sql("SELECT name, colour FROM queues").fetchall()
        now = described(conn)
    assert [tuple(row) for row in rows] == [("mail", None)]
    if store.sqlite:
        assert any("AUTOINCREMENT" in str(part) for part in now["queues"])  # type: ignore[attr-defined]


def test_a_migration_that_fails_changes_nothing(store: Store, next_version: Path) -> None:
    broken = next_version.read_text().replace("    pass\n", '    op.execute("nonsense")\n')
    assert "nonsense" in broken
    next_version.write_text(broken)
    before = schema.status(store).current
    with store.read() as conn:
        untouched = described(conn)
    with pytest.raises(StoreError, match="nonsense"):
        schema.ensure(store)
    with store.read() as conn:
        assert described(conn) == untouched
    assert schema.status(store).current == before
