"""Writes the next migration: `python -m jobdeck.store.migrations "what changes"`.

`--again` before the title writes the newest one anew, while nobody has a store of it yet.
"""

import re
import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import render_python_code
from alembic.operations.ops import UpgradeOps

from jobdeck.store import migrations
from jobdeck.store.database import Store
from jobdeck.store.tables import metadata

_OWN = ("sqlite_autoincrement", "sqlite_with_rowid")

_TEMPLATE = '''"""{title}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {previous}
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915
    """Bring a store to this version."""
    {body}
'''


def write(title: str, *, again: bool = False) -> Path:
    """Write the migration that follows the newest one, or the newest one `again`; gives its
    path. Run `ruff format` on it."""
    directory = migrations.scripts()
    newest = directory.get_current_head()
    revision = f"{int(newest or 0) + (not again):04}"
    if again and newest:
        before = directory.get_revision(newest)
        newest = before.down_revision if isinstance(before.down_revision, str) else None
        Path(before.path).unlink()
    operations = _missing(newest)
    slug = re.sub(r"\W+", "_", title.lower()).strip("_")
    path = migrations.VERSIONS / f"{revision}_{slug}.py"
    path.write_text(
        _TEMPLATE.format(
            title=f"{title.rstrip('.')}.",
            revision=revision,
            previous=f'"{newest}"' if newest else None,
            body=render(operations),
        ),
        encoding="utf-8",
    )
    return path


def _missing(newest: str | None) -> UpgradeOps | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        file.touch()
        store = Store(f"sqlite:///{file}")
        with store.write() as conn:
            if newest:
                migrations.upgrade(conn, newest)
            operations = migrations.differences(conn).upgrade_ops
        store.close()
    return operations


def render(operations: UpgradeOps | None) -> str:
    """The operations as the body of a migration."""
    if operations is None or operations.is_empty():
        raise SystemExit("The tables are as the newest migration leaves them.")
    code = render_python_code(operations, render_as_batch=True)
    code = re.sub(r"op\.batch_alter_table\('(\w+)', schema=None", _with_options, code)
    lines = [line for line in code.splitlines() if not line.lstrip().startswith("# ###")]
    return "\n".join(lines).strip()


def _with_options(found: re.Match[str]) -> str:
    """For most changes SQLite makes a table anew: what is SQLite's own must be said again, or
    a table would hand out the number of a deleted row once more."""
    table = metadata.tables.get(found[1])
    options = {k: v for k, v in (table.kwargs if table is not None else {}).items() if k in _OWN}
    return f"op.batch_alter_table('{found[1]}', table_kwargs={options}" if options else found[0]


if __name__ == "__main__":
    *options, title = sys.argv[1:]
    sys.stdout.write(f"{write(title, again=options == ['--again'])}\n")
