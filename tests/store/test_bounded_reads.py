"""No list reads through the history, however much of it there is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from jobdeck.domain.clock import SECOND
from jobdeck.domain.filters import ANY, JobFilter
from jobdeck.domain.states import Reason, Status
from jobdeck.store import charts, flows, jobs, listing, pipelines, recent, schema
from jobdeck.store.database import Store
from tests.store.world import START, manifest

JOBS = 60_000
STEPS_MAX = 1_000_000
"""Of SQLite's virtual machine: some dozen for each of the rows that a call may read."""


@pytest.fixture(scope="module", params=["analyzed", "not analyzed"])
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Many ended jobs: a common flow, and a rare one that ran last long ago."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('history')}/jobs.db")
    schema.ensure(store)
    with store.write() as conn:
        pipelines.register(conn, manifest("common"), START, publish=True)
        pipelines.register(conn, manifest("rare", "few"), START, publish=True)
        for n in range(40):
            flows.create(conn, name=f"idle-{n}", pipeline="common", now=START)
        conn.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO jobs (flow_id, queue_id, status, priority, created_at, started_at, "
            "finished_at, params, attempt, parent_id) "
            "SELECT CASE WHEN i < 20 THEN 2 ELSE 1 END, CASE WHEN i < 20 THEN 2 ELSE 1 END, "
            "CASE WHEN i % 50 = 0 THEN 2 ELSE 1 END, 0, ? + i * 1000000, ? + i * 1000000, "
            "? + i * 1000000, '{}', 1, CASE WHEN i % 2 THEN 7 END FROM n",
            (JOBS, START, START, START),
        )
        conn.exec_driver_sql(
            "INSERT INTO unsuccessful SELECT id, flow_id, status, finished_at, 7 FROM jobs "
            "WHERE status = 2"
        )
        conn.exec_driver_sql(
            "INSERT INTO ready SELECT id + 1000000, queue_id, flow_id, 0, 1, 0, 0 FROM jobs "
            "WHERE id > 20"
        )
        conn.exec_driver_sql(
            "INSERT INTO jobs (id, flow_id, queue_id, status, priority, created_at, params) "
            "SELECT job_id, flow_id, queue_id, 0, 0, ? + job_id * 1000000, '{}' FROM ready",
            (START,),
        )
        conn.exec_driver_sql(
            "INSERT INTO counters SELECT status, queue_id, flow_id, 0, count(*) FROM "
            "(SELECT CASE status WHEN 0 THEN 5 ELSE status END AS status, queue_id, flow_id "
            "FROM jobs) GROUP BY 1, 2, 3"
        )
        conn.exec_driver_sql("INSERT INTO searched VALUES (1, 'city', 20000, 50000)")
        conn.exec_driver_sql(
            "INSERT INTO job_params SELECT 'city', 'Delft', flow_id, id FROM jobs "
            "WHERE id BETWEEN 20000 AND 50000 AND id % 3 = 0"
        )
        conn.exec_driver_sql(
            "INSERT INTO volume SELECT 3600, flow_id, created_at - created_at % 3600000000, "
            "status, queue_id, 0, count(*) FROM jobs WHERE status > 0 GROUP BY 2, 3, 4, 5"
        )
        if request.param == "analyzed":
            conn.exec_driver_sql("ANALYZE")
    yield store
    store.close()


STATUSES: tuple[tuple[Status, ...], ...] = (
    (),
    *((status,) for status in Status),
    (Status.PENDING, Status.FAILED),
    (Status.COMPLETED, Status.RUNNING),
)
WHERE: tuple[dict[str, Any], ...] = (
    {},
    {"flow": "rare"},
    {"flow": "common"},
    {"pipeline": "common"},
    {"queue": "few"},
    {"queue": "default"},
    {"parent": 7},
    {"schedule": 3},
    {"roots": True},
    {"error_group": 7},
    {"error_group": 7, "flow": "rare"},
    {"flow": "-rare", "queue": "-few"},
    {"params": (("city", "Delft"),)},
    {"params": (("city", "Delft"), ("day", "1")), "flow": "rare,common"},
)
ALSO: tuple[dict[str, Any], ...] = (
    {},
    {"q": "not there"},
    {"error": "not there"},
    {"duration": (60 * SECOND, None), "attempt": (2, None), "priority": (1, None)},
    {"started": (START, None), "finished": (None, START + 50_000 * SECOND)},
    {"reason": (Reason.TIMEOUT,), "source": ("api",), "worker": 1, "pool": 1},
    {"id": (30_000, 40_000)},
    {"created_after": START + 1000 * SECOND, "created_before": START + 1100 * SECOND},
)
EVERY = [
    JobFilter(status=status, **where, **also)
    for status, where, also in product(STATUSES, WHERE, ALSO)
]


def limit(wanted: JobFilter) -> int:
    """Some conditions take several dozen steps for each row."""
    costly = wanted.duration != ANY or wanted.started != ANY or wanted.pool or wanted.params
    return STEPS_MAX * 2 if costly else STEPS_MAX


SORTED = (
    ["-duration", "id"],
    ["priority", "-finished"],
    ["status", "-started", "priority"],
)
NOW = START + 2 * JOBS * SECOND


class Meter:
    """Counts what SQLite does, and keeps its plans."""

    def __init__(self, store: Store) -> None:
        self.steps = 0
        self.statements: list[tuple[str, Any]] = []
        with store.read() as conn:
            driver: Any = conn.connection.driver_connection
            driver.set_progress_handler(self._step, 1000)
        event.listen(store.reader, "before_cursor_execute", self._note)

    def _step(self) -> int:
        self.steps += 1000
        return 0

    def _note(self, _conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        self.statements.append((statement, parameters))


@pytest.fixture(scope="module")
def meter(history: Store) -> Meter:
    return Meter(history)


@pytest.mark.parametrize("sort", ["-id", "id"])
def test_every_call_reads_a_bounded_number_of_rows(history: Store, meter: Meter, sort: str) -> None:
    for wanted in EVERY[::2] if sort == "-id" else EVERY[::9]:
        meter.steps = 0
        with history.read() as conn:
            page = jobs.find(conn, wanted, sort=[sort])
        assert meter.steps < limit(wanted), wanted
        assert page.items or page.next or not _any(history, wanted), wanted


def _any(store: Store, wanted: JobFilter) -> bool:
    cursor: str | None = None
    for _ in range(40):
        with store.read() as conn:
            page = jobs.find(conn, wanted, limit=1, cursor=cursor)
        if page.items:
            return True
        cursor = page.next
        if cursor is None:
            return False
    raise AssertionError("the list does not end")


def test_sorting_reads_a_bounded_number_of_rows(history: Store, meter: Meter) -> None:
    for wanted, sort in zip(EVERY[::5], cycle(SORTED), strict=False):
        meter.steps = 0
        with history.read() as conn:
            jobs.find(conn, wanted, sort=sort, now=NOW)
        assert meter.steps < limit(wanted), (wanted, sort)


def test_counting_and_charts_read_a_bounded_number_of_rows(history: Store, meter: Meter) -> None:
    for wanted in EVERY[::7]:
        for read in (listing.count, charts.read):
            meter.steps = 0
            with history.read() as conn:
                read(conn, wanted, NOW)
            assert meter.steps < limit(wanted), (read, wanted)


def test_no_plan_scans_a_table(history: Store, meter: Meter, tmp_path: Path) -> None:
    meter.statements.clear()
    for wanted, sort in zip(EVERY[::3], cycle([["-id"], ["id"], *SORTED]), strict=False):
        with history.read() as conn:
            jobs.find(conn, wanted, sort=sort, now=NOW)
    for wanted in EVERY[::11]:
        with history.read() as conn:
            listing.count(conn, wanted, NOW)
            charts.read(conn, wanted, NOW)
    for statement, parameters in dict(meter.statements).items():
        if not statement.startswith(("SELECT", "WITH")):
            continue
        with history.read() as conn:
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        for *_, detail in plan:
            assert not detail.startswith(
                ("SCAN jobs", "SCAN ready", "SCAN unsuccessful", "SCAN job_params")
            ), plan
        if statement.startswith("SELECT (SELECT"):
            assert not any("TEMP B-TREE" in detail for *_, detail in plan), (statement, plan)


def test_the_latest_runs_are_found_behind_many_that_wait(history: Store, meter: Meter) -> None:
    with history.read() as conn:
        ids = [flow.id for flow in flows.all(conn)]
        meter.steps = 0
        found = recent.runs(conn, ids)
    assert meter.steps < STEPS_MAX
    assert [run.job for run in found[1]] == list(range(JOBS, JOBS - 10, -1))
    assert len(found[2]) == 10
