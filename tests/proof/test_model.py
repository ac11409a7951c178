"""Whatever pools and operators do, in whatever order, the store stays as the rules say."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from jobdeck.store.database import Store
from jobdeck.store.tables import metadata
from tests.proof.machine import StoreMachine

SHORT = settings(
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LONG = settings(
    SHORT,
    max_examples=int(os.environ.get("JOBDECK_TEST_EXAMPLES", "1500")),
    stateful_step_count=80,
    derandomize=False,
    print_blob=True,
)


@pytest.fixture
def opened(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Gives an empty store, as often as it is called."""
    if database == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        numbers = itertools.count()

        def copy() -> Store:
            path = tmp_path / f"{next(numbers)}.db"
            shutil.copyfile(template, path)
            return Store(f"sqlite:///{path}")

        return copy
    address: str = request.getfixturevalue("store_url")
    tables = ", ".join(table.name for table in metadata.sorted_tables)

    def emptied() -> Store:
        store = Store(address)
        with store.write() as conn:
            conn.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        return store

    return emptied


def drive(opened: Callable[[], Store], how: settings) -> None:
    machine = type("Machine", (StoreMachine,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(machine, settings=how)


def test_nothing_is_lost_or_ends_twice_and_counters_equal_the_rows(
    opened: Callable[[], Store],
) -> None:
    drive(opened, SHORT)


@pytest.mark.long
def test_the_same_for_long(opened: Callable[[], Store]) -> None:
    drive(opened, LONG)
