"""The address of a list of jobs, and the lists that it leads to."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Request
from litestar.testing import RequestFactory

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filterterms import Term
from jobdeck.domain.states import Status
from jobdeck.web import jobs_query
from jobdeck.web.jobs_query import JobsQuery

NOW = 1_780_000_000 * SECOND


def request(query: dict[str, Any]) -> Request[Any, Any, Any]:
    """A request for the list with that query."""
    return RequestFactory().get("/jobs", query_params=query)


def test_a_query_survives_its_address() -> None:
    query = JobsQuery(
        q='status:failed,stopped "Den Haag & more"',
        sort="-duration,status",
        cursor="abc",
        open=(3, 9),
    )
    assert jobs_query.read(request(query.pairs())) == query


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("1234", 1234), ('"#1234"', 1234), ("1,234", 1234), ("1\u202f234", 1234)),
        *(("1,23", None), ("1234 more", None), ("1234 status:failed", None), ("#1234", None)),
    ],
)
def test_a_number_alone_may_be_that_of_a_job(text: str, number: int | None) -> None:
    assert JobsQuery(q=text).number == number


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"status": "failed"}, "status:failed"),
        ({"status": ["failed", "stopped"], "flow": "load"}, "status:failed,stopped flow:load"),
        ({"range": "24h"}, "created:>24h"),
        ({"created_after": "2026-11-20T10:00:00"}, "created:2026-11-20T10:00:00.."),
        ({"q": "status:failed x", "status": "stopped"}, "x status:stopped"),
        ({"q": "since:2h queue:etl", "range": "1h"}, "queue:etl created:>1h"),
        ({"parent": "7"}, "parent:7"),
    ],
)
def test_conditions_of_their_own_become_part_of_the_text(given: dict[str, Any], text: str) -> None:
    assert sorted(jobs_query.read(request(given)).q.split()) == sorted(text.split())


def test_conditions_become_a_filter() -> None:
    query = JobsQuery(q="status:failed flow:weather created:>1h")
    wanted = query.condition(NOW)
    assert wanted.status == (Status.FAILED,)
    assert wanted.created_after == NOW - 3600 * SECOND
    assert not wanted.roots
    assert query.statuses == ("failed",)
    assert query.value("flow") == "weather"


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("", True),
        ("created:>24h", True),
        ("status:failed", False),
        ("x", False),
        ("parent:4", False),
    ],
)
def test_children_fold_where_nothing_asks_for_some_jobs(text: str, folds: bool) -> None:
    assert JobsQuery(q=text).condition(NOW).roots is folds


def test_a_condition_takes_the_place_of_others_on_the_same() -> None:
    query = JobsQuery(q="since:2h flow:a word", cursor="abc")
    assert query.with_term("created", ">1h") == {"q": "flow:a created:>1h word"} or query.with_term(
        "created", ">1h"
    ) == {"q": "flow:a word created:>1h"}
    assert query.without("flow") == {"q": "since:2h word"}
    assert query.without_term(Term("", "word")) == {"q": "since:2h flow:a"}
    assert [str(term) for term in query.chips] == ["since:2h", "flow:a", "word"]


def test_a_text_that_cannot_be_read_is_kept() -> None:
    query = jobs_query.read(request({"q": 'flow:"open'}))
    assert query.q == 'flow:"open'
    assert query.chips == []
    with pytest.raises(InvalidValue, match="quote"):
        query.condition(NOW)


def test_columns_are_sorted_one_after_the_other() -> None:
    query = JobsQuery()
    assert query.direction("id") == "descending"
    assert query.sorted_by("id") == {"sort": "id"}
    assert query.sorted_by("duration") == {"sort": "-duration"}
    assert query.also_sorted_by("duration") == {"sort": "-duration"}
    query = JobsQuery(sort="-duration")
    assert query.sorted_by("duration") == {"sort": "duration"}
    assert query.place("duration") == 0
    assert query.also_sorted_by("status") == {"sort": "-duration,-status"}
    query = JobsQuery(sort="-duration,-status")
    assert (query.place("duration"), query.place("status"), query.place("id")) == (1, 2, 0)
    assert query.also_sorted_by("status") == {"sort": "-duration,status"}
    assert query.order_words == "sorted by duration, descending; then by status, descending"


def test_children_are_opened_and_closed() -> None:
    query = JobsQuery(q="x", open=(3,))
    assert query.toggling(9)["open"] == (3, 9)
    assert "open" not in query.toggling(3)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"status": "done"}, "status"),
        ({"sort": "size"}, "sort"),
        ({"created_after": "soon"}, "created_after"),
        ({"open": "x"}, "open"),
    ],
)
def test_what_cannot_be_read_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        jobs_query.read(request(given))
    assert refused.value.field == field
