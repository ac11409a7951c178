"""Migrations of the store's schema, one file for each in `versions`.

A new store is made from `tables` at once; migrations bring older ones up to it. After a change of
`tables`, `python -m jobdeck.store.migrations "what changes"` writes the next one: look it over,
then raise `schema.NEWEST`. While the newest has not been released, `--again "its title"` writes
that one anew instead.
"""

from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from jobdeck.store.schema import VERSION_TABLE
from jobdeck.store.tables import metadata

VERSIONS = Path(__file__).parent / "versions"


def scripts() -> ScriptDirectory:
    """The migrations that there are."""
    return ScriptDirectory(str(VERSIONS.parent))


def upgrade(conn: Connection, revision: str = "head") -> None:
    """Migrate to `revision`, in the transaction of `conn`."""
    directory = scripts()

    def steps(current: Any, _context: MigrationContext) -> Any:
        return directory._upgrade_revs(revision, current)

    context = _context(conn, fn=steps)
    with Operations.context(context):
        context.run_migrations()


def differences(conn: Connection) -> MigrationScript:
    """What separates the schema of the database from `tables`."""
    return produce_migrations(_context(conn), metadata)


def _context(conn: Connection, **options: Any) -> MigrationContext:
    def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
        return not (kind == "table" and name == VERSION_TABLE)

    return MigrationContext.configure(
        conn,
        opts={
            "version_table": VERSION_TABLE,
            "transactional_ddl": True,
            "target_metadata": metadata,
            # SQLite tells defaults back in other words than they were given.
            "compare_server_default": conn.dialect.name != "sqlite",
            "include_object": ours,
            "render_as_batch": True,
            **options,
        },
    )
