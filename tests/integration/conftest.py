"""What tests of whole commands, calls and clients start from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.store.database import Store
from tests.integration.hands import define


@pytest.fixture
def here(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite with the pipeline `weather`."""
    path = tmp_path / "jobdeck.db"
    shutil.copyfile(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    define(store)
    yield store
    store.close()
