"""No list reads through the history, however much of it there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, product
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, event, text

from jobdeck.domain.clock import SECOND
from jobdeck.domain.filters import ANY, ROWS_MAX, JobFilter, LogFilter
from jobdeck.domain.states import Reason, Status
from jobdeck.store import (
    charts,
    flows,
    jobs,
    listing,
    log_search,
    logs,
    pipelines,
    recent,
    schema,
    surroundings,
)
from jobdeck.store.database import Store
from tests.store.world import START, manifest
from tests.stores import Cluster

JOBS = 60_000
STEPS_MAX = 1_000_000
"""Of SQLite's virtual machine: some dozen for each of the rows that a call may read."""
ENTRIES_MAX = 4 * ROWS_MAX
"""Of indexes of PostgreSQL: of a row that is read, those that bound the slice, lead to it, and say
how its job stands."""

T = TypeVar("T")


@pytest.fixture(scope="module", params=["analyzed", "not analyzed", "postgres"])
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Many ended jobs: a common flow, and a rare one that ran last long ago."""
    cluster: Cluster | None = None
    address = f"sqlite:///{tmp_path_factory.mktemp('history')}/jobs.db"
    if request.param == "postgres":
        cluster = request.getfixturevalue("cluster")
        address = cluster.create()
    store = Store(address)
    schema.ensure(store)
    with store.write() as conn:
        pipelines.register(conn, manifest("common"), START, publish=True)
        pipelines.register(conn, manifest("rare", "few"), START, publish=True)
        for n in range(40):
            flows.create(conn, name=f"idle-{n}", pipeline="common", now=START)
        if not store.sqlite:
            # Whatever it has seen until now, it goes by that.
            for table in ("jobs", "ready", "unsuccessful", "logs"):
                conn.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        _fill(conn, 1, JOBS // 2)
        if not store.sqlite:
            conn.exec_driver_sql("ANALYZE")
        _fill(conn, JOBS // 2 + 1, JOBS)
        _finish(conn)
        if not store.sqlite:
            conn.exec_driver_sql("ANALYZE logs")
        if request.param == "analyzed":
            conn.exec_driver_sql("ANALYZE")
    yield store
    store.close()
    if cluster:
        cluster.drop(address)


def _fill(conn: Connection, first: int, last: int) -> None:
    """Ended jobs; the first ones are those of the rare flow."""
    conn.execute(
        text(
            "INSERT INTO jobs (id, flow_id, queue_id, status, priority, created_at, started_at, "
            "finished_at, params, attempt, parent_id) "
            "WITH RECURSIVE n(i) AS (SELECT CAST(:first AS bigint) UNION ALL "
            "SELECT i + 1 FROM n WHERE i < :last) "
            "SELECT i, CASE WHEN i < 20 THEN 2 ELSE 1 END, CASE WHEN i < 20 THEN 2 ELSE 1 END, "
            "CASE WHEN i % 50 = 0 THEN 2 ELSE 1 END, 0, :start + i * 1000000, "
            ":start + i * 1000000, :start + i * 1000000, '{}', 1, "
            "CASE WHEN i % 2 = 1 THEN 7 END FROM n"
        ),
        {"first": first, "last": last, "start": START},
    )


def _finish(conn: Connection) -> None:
    """Jobs that wait, and all that is kept beside the jobs' own rows."""
    for statement in _REST.split(";"):
        conn.execute(text(statement))


_REST = f"""
INSERT INTO unsuccessful SELECT id, flow_id, status, finished_at, 7 FROM jobs WHERE status = 2;
INSERT INTO ready SELECT id + 1000000, queue_id, flow_id, 0, 1, 0, 0 FROM jobs WHERE id > 20;
INSERT INTO jobs (id, flow_id, queue_id, status, priority, created_at, params)
    SELECT job_id, flow_id, queue_id, 0, 0, {START} + job_id * 1000000, '{{}}' FROM ready;
INSERT INTO counters SELECT status, queue_id, flow_id, 0, count(*) FROM
    (SELECT CASE status WHEN 0 THEN 5 ELSE status END AS status, queue_id, flow_id FROM jobs) AS j
    GROUP BY 1, 2, 3;
INSERT INTO searched VALUES (1, 'city', 20000, 50000);
INSERT INTO job_params SELECT 'city', 'Delft', flow_id, id FROM jobs
    WHERE id BETWEEN 20000 AND 50000 AND id % 3 = 0;
INSERT INTO logs (id, job_id, attempt, seq, at, level, stream, step, message)
    SELECT id, CASE WHEN id <= 30000 THEN id ELSE 30001 END, 1, id, created_at, 'info', 'log', '',
    'said' FROM jobs WHERE status > 0;
INSERT INTO volume SELECT 3600, flow_id, created_at - created_at % 3600000000 AS hour, status,
    queue_id, 0, count(*) FROM jobs WHERE status > 0 GROUP BY 1, 2, 3, 4, 5
"""


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


PAIRS = [
    JobFilter(status=status, **where, **ALSO[(m + n) % len(ALSO)])
    for (m, status), (n, where) in product(enumerate(STATUSES), enumerate(WHERE))
]
"""Every status with every place: what PostgreSQL is asked for, which takes longer to answer."""

SORTED = (
    ["-duration", "id"],
    ["priority", "-finished"],
    ["status", "-started", "priority"],
)
NOW = START + 2 * JOBS * SECOND


class Meter:
    """Counts what SQLite does, and keeps its plans."""

    def __init__(self, store: Store) -> None:
        self._store = store
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

    def check(self, read: Callable[..., T], *given: Any, **named: Any) -> T:
        """What `read` gives, which must do no more than reading so many rows takes."""
        self.steps = 0
        with self._store.read() as conn:
            found = read(conn, *given, **named)
        assert self.steps < self._limit(given), (read, given, named)
        return found

    def _limit(self, given: Sequence[Any]) -> int:
        """Some conditions take several dozen steps for each row."""
        wanted = given[0] if isinstance(given[0], JobFilter) else JobFilter()
        costly = wanted.duration != ANY or wanted.started != ANY or wanted.pool or wanted.params
        return STEPS_MAX * 2 if costly else STEPS_MAX


class PostgresMeter:
    """Counts the entries of indexes and the rows of scans that PostgreSQL goes through."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, read: Callable[..., T], *given: Any, **named: Any) -> T:
        """What `read` gives, which must not go through more than it may."""
        with self._store.write() as conn:
            before = self._entries(conn)
            found = read(conn, *given, **named)
            entries = self._entries(conn) - before
        assert entries < ENTRIES_MAX, (entries, read, given, named)
        return found

    def _entries(self, conn: Connection) -> int:
        query = (
            "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace"
        )
        return int(conn.exec_driver_sql(query).scalar_one())


@pytest.fixture(scope="module")
def meter(history: Store) -> Meter | PostgresMeter:
    return Meter(history) if history.sqlite else PostgresMeter(history)


def some(store: Store, every: int) -> list[JobFilter]:
    """A part of all filters."""
    return EVERY[::every] if store.sqlite else PAIRS[:: every // 2]


@pytest.mark.parametrize("sort", ["-id", "id"])
def test_every_call_reads_a_bounded_number_of_rows(
    history: Store, meter: Meter | PostgresMeter, sort: str
) -> None:
    for wanted in some(history, 2 if sort == "-id" else 9):
        page = meter.check(jobs.find, wanted, sort=[sort])
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


def test_a_search_ends_early_where_reading_takes_long(
    history: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = JobFilter(q="not there")
    newest = START + (1_000_000 + JOBS) * SECOND
    with history.read() as conn:
        patient = jobs.find(conn, wanted, now=NOW)
        whole = charts.read(conn, wanted, newest)
        monkeypatch.setattr(listing, "READING_S", 0)
        page = jobs.find(conn, wanted, now=NOW)
        chart = charts.read(conn, wanted, newest)
    assert page.next
    assert patient.searched_to
    assert page.searched_to
    assert patient.searched_to < page.searched_to <= newest - listing.CALM * SECOND
    assert chart
    assert whole
    assert chart.searched_to
    assert whole.searched_to
    assert whole.searched_to < chart.searched_to
    assert chart.start <= chart.searched_to < chart.start + chart.bar_s * SECOND
    assert len(chart.bars) < len(whole.bars)


def test_sorting_reads_a_bounded_number_of_rows(
    history: Store, meter: Meter | PostgresMeter
) -> None:
    for wanted, sort in zip(some(history, 5), cycle(SORTED), strict=False):
        meter.check(jobs.find, wanted, sort=sort, now=NOW)


def test_counting_and_charts_read_a_bounded_number_of_rows(
    history: Store, meter: Meter | PostgresMeter
) -> None:
    for wanted in some(history, 7):
        for read in (listing.count, charts.read):
            meter.check(read, wanted, NOW)


def test_no_plan_scans_a_table(history: Store, meter: Meter | PostgresMeter) -> None:
    if isinstance(meter, PostgresMeter):
        pytest.skip("what it goes through is counted, whatever its plan")
    meter.statements.clear()
    for wanted, sort in zip(EVERY[::3], cycle([["-id"], ["id"], *SORTED]), strict=False):
        with history.read() as conn:
            jobs.find(conn, wanted, sort=sort, now=NOW)
    for wanted in EVERY[::11]:
        with history.read() as conn:
            listing.count(conn, wanted, NOW)
            charts.read(conn, wanted, NOW)
    for statement, plan in _plans(history, meter):
        for detail in plan:
            assert not detail.startswith(
                ("SCAN jobs", "SCAN ready", "SCAN unsuccessful", "SCAN job_params")
            ), plan
        if statement.startswith("SELECT (SELECT"):
            assert not any("TEMP B-TREE" in detail for detail in plan), (statement, plan)


def _plans(history: Store, meter: Meter) -> list[tuple[str, list[str]]]:
    """The statements that the meter has seen, each with how SQLite does it."""
    found: list[tuple[str, list[str]]] = []
    for statement, parameters in dict(meter.statements).items():
        if statement.startswith(("SELECT", "WITH")):
            with history.read() as conn:
                plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found.append((statement, [detail for *_, detail in plan]))
    assert found
    return found


def test_a_jobs_lines_are_read_without_those_of_others(
    meter: Meter | PostgresMeter,
) -> None:
    def oldest(conn: Connection, job: int) -> list[logs.Found]:
        # Several: each would go through half of all lines.
        return [logs.of_job(conn, job, after=job, newest_first=True) for _ in range(3)]

    assert not any(found.lines for found in meter.check(oldest, 30_001))
    assert len(meter.check(logs.of_job, 30_001, newest_first=True).lines) == logs.PAGE
    assert meter.check(logs.newest_of, 30_001) == JOBS
    assert len(meter.check(logs.of_job, 5000).lines) == 1
    assert [line.id for line in meter.check(log_search.find, LogFilter(job=5000)).items] == [5000]


def test_what_stands_beside_a_job_is_found_without_reading_other_flows(
    history: Store, meter: Meter | PostgresMeter
) -> None:
    with history.read() as conn:
        (job,) = jobs.load(conn, [10])
    found = meter.check(surroundings.neighbours, job)
    assert {each.relation: each.id for each in found} == {"before": 9, "after": 11}
    with history.read() as conn:
        (last,) = jobs.load(conn, [19])
    assert [each.id for each in meter.check(surroundings.neighbours, last)] == [18]


def test_the_latest_runs_are_found_behind_many_that_wait(
    history: Store, meter: Meter | PostgresMeter
) -> None:
    with history.read() as conn:
        ids = [flow.id for flow in flows.all(conn)]
    if isinstance(meter, Meter):
        meter.statements.clear()
    found = meter.check(recent.runs, ids)
    if isinstance(meter, Meter):
        read = [d for _, plan in _plans(history, meter) for d in plan if " jobs " in d]
        assert read
        assert all("ix_jobs_flow_id_id" in detail for detail in read), read
    assert [run.job for run in found[1]] == list(range(JOBS, JOBS - 10, -1))
    assert len(found[2]) == 10
