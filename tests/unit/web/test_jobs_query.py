"""The address of a list of jobs, and the lists that it leads to."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Request
from litestar.testing import RequestFactory

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.states import Status
from jobdeck.web import jobs_query
from jobdeck.web.jobs_query import JobsQuery

NOW = 1_780_000_000 * SECOND


def request(query: dict[str, Any]) -> Request[Any, Any, Any]:
    """A request for the list with that query."""
    return RequestFactory().get("/jobs", query_params=query)


def test_a_query_survives_its_address() -> None:
    query = JobsQuery(
        status=("failed", "stopped"),
        pipeline="weather",
        q="Den Haag & more",
        range="custom",
        created_after="2026-11-20T10:00:00",
        sort="-duration",
        cursor="abc",
        back=("0", "xyz"),
        open=(3, 9),
    )
    assert jobs_query.read(request(query.pairs())) == query


def test_conditions_become_a_filter() -> None:
    query = JobsQuery(status=("failed",), flow="weather", range="1h")
    wanted = query.condition(NOW)
    assert wanted.status == (Status.FAILED,)
    assert wanted.created_after == NOW - 3600 * SECOND
    assert not wanted.roots


@pytest.mark.parametrize(
    ("query", "folds"),
    [
        (JobsQuery(), True),
        (JobsQuery(range="24h"), True),
        (JobsQuery(status=("failed",)), False),
        (JobsQuery(q="x"), False),
        (JobsQuery(parent=4), False),
    ],
)
def test_children_fold_where_nothing_asks_for_some_jobs(query: JobsQuery, folds: bool) -> None:
    assert query.condition(NOW).roots is folds


def test_another_condition_starts_from_the_newest() -> None:
    query = JobsQuery(flow="weather", cursor="abc", back=("0",), open=(1,))
    assert query.replacing(status=["failed"]) == {"flow": "weather", "status": ["failed"]}
    assert query.without("flow") == {}


def test_paging_goes_back_the_way_it_came() -> None:
    first = JobsQuery(flow="weather")
    second = jobs_query.read(request(first.older("p2")))
    third = jobs_query.read(request(second.older("p3")))
    assert (third.cursor, third.back) == ("p3", ("0", "p2"))
    assert jobs_query.read(request(third.newer())) == second
    assert jobs_query.read(request(second.newer())) == first


def test_sorting_turns_round_at_the_second_click() -> None:
    query = JobsQuery()
    assert query.direction("id") == "descending"
    by_duration = jobs_query.read(request(query.sorted_by("duration")))
    assert by_duration.direction("duration") == "descending"
    assert by_duration.sorted_by("duration") == {"sort": "duration"}
    assert by_duration.sorted_by("id") == {}


def test_opening_is_undone_by_opening_again() -> None:
    opened = jobs_query.read(request(JobsQuery().toggling(7)))
    assert opened.open == (7,)
    assert opened.toggling(7) == {}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "broken"}, "status"),
        ({"sort": "size"}, "sort"),
        ({"parent": "x"}, "parent"),
        ({"open": "-1"}, "open"),
        ({"range": "yesterday"}, "range"),
        ({"q": "a\0b"}, "q"),
        ({"parent": "9" * 30}, "parent"),
    ],
)
def test_nonsense_is_named(query: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        jobs_query.read(request(query))
    assert caught.value.field == field


def test_a_date_that_is_none_is_named() -> None:
    with pytest.raises(InvalidValue) as caught:
        JobsQuery(range="custom", created_before="soon").condition(NOW)
    assert caught.value.field == "created_before"
