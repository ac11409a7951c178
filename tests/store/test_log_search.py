"""The lines of all jobs are searched in bounded slices, the newest first."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import LogFilter
from jobdeck.store import flows, log_search, logs, pipelines
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.tables import jobs
from tests.store.world import START, manifest

LEVELS = ("info", "warning", "error")


@pytest.fixture
def told(store: Store) -> list[int]:
    """Three jobs, of two flows, that said thirty lines each, a second apart."""
    with store.write() as conn:
        for name in ("mail", "etl"):
            pipelines.register(conn, manifest(name), START, publish=True)
        flows.create(conn, name="etl-night", pipeline="etl", now=START)
        ids = []
        for name in ("mail", "etl", "etl-night"):
            target = flows.target(conn, name)
            ids += enqueue(conn, [NewJob(flow_id=target.flow_id, queue_id=target.queue_id)], START)
        rows = [
            (job, 1, n, START + n * SECOND, LEVELS[n % 3], "log", "", f"line {n} of {job}", None)
            for n in range(30)
            for job in ids
        ]
        logs.append(conn, rows)
    return ids


def found(store: Store, limit: int = 500, **wanted: object) -> list[str]:
    """All that is found, page by page; every page holds at most `limit`."""
    lines, cursor = [], None
    for _ in range(100):
        with store.read() as conn:
            page = log_search.find(conn, LogFilter(**wanted), limit=limit, cursor=cursor)  # type: ignore[arg-type]
        assert len(page.items) <= limit
        lines += [line.message for line in page.items]
        cursor = page.next
        if cursor is None:
            return lines
    raise AssertionError("the search does not end")


def test_the_newest_line_comes_first(store: Store, told: list[int]) -> None:
    lines = found(store, limit=7)
    assert len(lines) == 90
    assert lines[0] == f"line 29 of {told[-1]}"
    assert lines[-1] == f"line 0 of {told[0]}"


def test_every_condition_holds(store: Store, told: list[int]) -> None:
    mail, etl, night = told
    assert len(found(store, level="error")) == 30
    assert found(store, q="LINE 7 ", flow="mail") == [f"line 7 of {mail}"]
    assert len(found(store, pipeline="etl")) == 60
    assert found(store, job=night, q="9 ", level="error") == [f"line 29 of {night}"]
    some = found(store, flow="etl", after=START + 3 * SECOND, before=START + 5 * SECOND)
    assert some == [f"line 4 of {etl}", f"line 3 of {etl}"]
    assert found(store, flow="no such") == found(store, job=2**70) == []
    with pytest.raises(InvalidValue, match="level"):
        found(store, level="loud")


def test_a_search_says_how_far_it_looked(
    store: Store, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "ROWS_MAX", 20)
    with store.read() as conn:
        page = log_search.find(conn, LogFilter(q="line 0 of"))
    assert page.items == []
    assert page.searched_to == START + 23 * SECOND
    assert len(found(store, q="line 0 of")) == 3
    assert len(found(store, q="line 0 of", flow="mail")) == 1


def test_what_is_found_names_its_job(store: Store, told: list[int]) -> None:
    with store.write() as conn:
        page = log_search.find(conn, LogFilter(), limit=2)
        assert [(line.job, line.flow, line.pipeline) for line in page.items] == [
            (told[2], "etl-night", "etl"),
            (told[1], "etl", "etl"),
        ]
        conn.execute(delete(jobs).where(jobs.c.id == told[2]))
        assert len(log_search.find(conn, LogFilter(), limit=2).items) == 1
