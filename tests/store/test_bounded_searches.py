"""No search in logs or errors reads through the history, however much of it there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobdeck.domain.filters import LogFilter
from jobdeck.store import error_groups, log_search, logs, pipelines, schema
from jobdeck.store.database import Store
from tests.store.test_bounded_reads import STEPS_MAX, Meter
from tests.store.world import START, manifest

LINES = 120_000
GROUPS = 60_000


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A job with many lines among others, and very many errors."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('searched')}/jobs.db")
    schema.ensure(store)
    with store.write() as conn:
        pipelines.register(conn, manifest("common"), START, publish=True)
        pipelines.register(conn, manifest("rare", "few"), START, publish=True)
        count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        conn.exec_driver_sql(
            f"{count} INSERT INTO jobs (flow_id, queue_id, status, priority, created_at, params) "
            "SELECT 1, 1, 1, 0, ?, '{}' FROM n",
            (100, START),
        )
        conn.exec_driver_sql(
            f"{count} INSERT INTO logs (job_id, attempt, seq, at, level, stream, step, message) "
            "SELECT CASE WHEN i % 2 THEN 7 ELSE i % 100 END, 1, i, ? + i, 'info', 'log', '', "
            "'line' FROM n",
            (LINES, START),
        )
        conn.exec_driver_sql(
            f"{count} INSERT INTO error_groups (fingerprint, type, place, message, example, "
            "failures, jobs, first_at, last_at, last_job_id) "
            "SELECT i, 'E', 'p', 'm', 'm', 1, 1, ?, ? + i, i FROM n",
            (GROUPS, START, START),
        )
        conn.exec_driver_sql("ANALYZE")
    yield store
    store.close()


def test_every_call_reads_a_bounded_number_of_rows(history: Store) -> None:
    meter = Meter(history)
    middle = LINES // 2
    calls: list[tuple[Any, ...]] = [
        *((log_search.find, LogFilter(**wanted)) for wanted in (
            {}, {"q": "x"}, {"level": "error"}, {"flow": "rare"}, {"pipeline": "common", "q": "x"},
            {"job": 7, "q": "x"}, {"job": 99999}, {"after": START + middle, "level": "error"},
            {"before": START + 100},
        )),
        *((logs.of_job, 7, more) for more in (
            {"newest_first": True}, {"after": middle}, {"after": middle, "newest_first": True},
            {"q": "x"}, {"level": "error", "newest_first": True}, {"attempt": 9},
        )),
        *((error_groups.find, wanted) for wanted in (
            {}, {"q": "x"}, {"state": "resolved"}, {"flow": "rare"},
        )),
    ]  # fmt: skip
    for function, *given in calls:
        more = given.pop() if isinstance(given[-1], dict) else {}
        if function is error_groups.find:
            more = {**more, "now": START}
        meter.steps = 0
        with history.read() as conn:
            function(conn, *given, **more)
        assert meter.steps < STEPS_MAX, (function, given, more)
