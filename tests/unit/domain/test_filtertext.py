"""The text of a filter means what it says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.domain import clock, filtertext
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import JobFilter, Range
from jobdeck.domain.states import Reason, Status

NOW = clock.from_iso("2026-11-20T12:00:00Z")
DAY_1 = clock.from_iso("2026-11-01")
DAY = 86_400 * SECOND


def created(after: int, before: int) -> JobFilter:
    return JobFilter(created_after=after, created_before=before)


def ranges(low: int, high: int) -> st.SearchStrategy[Range]:
    """Some with both ends, some with one or none."""
    numbers = st.none() | st.integers(low, high)
    return st.tuples(numbers, numbers)


NAME = st.from_regex(r"\A\w[\w.-]{0,9}\Z")
NAMES = st.tuples(st.sampled_from(["", "-"]), st.lists(NAME, min_size=1, max_size=3, unique=True))
NAMED = st.just("") | NAMES.map(lambda made: made[0] + ",".join(made[1]))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = ranges(0, 4 * 10**15)
NUMBER = st.none() | st.integers(0, 2**50)
FILTERS = st.builds(
    JobFilter,
    status=st.lists(st.sampled_from(list(Status)), unique=True).map(tuple),
    pipeline=NAMED,
    flow=NAMED,
    queue=NAMED,
    created_after=TIMES.map(lambda ends: ends[0]),
    q=TEXT,
    parent=NUMBER,
    schedule=NUMBER,
    error_group=NUMBER,
    id=ranges(-5, 2**50),
    started=TIMES,
    finished=TIMES,
    duration=ranges(0, 10**14),
    attempt=ranges(0, 50),
    priority=ranges(-(10**6), 10**6),
    params=st.lists(
        st.tuples(st.from_regex(r"\A[a-zA-Z_.]{1,9}\Z"), TEXT.filter(bool)), max_size=2
    ).map(tuple),
    reason=st.lists(st.sampled_from(list(Reason)), unique=True).map(tuple),
    source=st.lists(NAME, unique=True, max_size=2).map(tuple),
    error=TEXT.filter(lambda text: not text.isdecimal()),
    worker=NUMBER,
    pool=NUMBER,
    roots=st.booleans(),
)


@given(FILTERS)
@settings(deadline=None)
def test_what_is_written_reads_as_the_same(wanted: JobFilter) -> None:
    assert filtertext.parse(filtertext.format(wanted), NOW) == wanted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", JobFilter()),
        ("status:failed", JobFilter(status=(Status.FAILED,))),
        ("STATUS:Failed", JobFilter(status=(Status.FAILED,))),
        (
            "status:failed,stopped status:failed",
            JobFilter(status=(Status.FAILED, Status.STOPPED)),
        ),
        ("flow:load queue:etl pipeline:p", JobFilter(flow="load", queue="etl", pipeline="p")),
        ("time out", JobFilter(q="time out")),
        ('"time out" flow:"a b"', JobFilter(q="time out", flow="a b")),
        ("http://example.org", JobFilter(q="http://example.org")),
        ("parent:7 schedule:2", JobFilter(parent=7, schedule=2)),
        ("since:2h", JobFilter(created_after=NOW - 7200 * SECOND)),
        (
            "since:2026-11-20 until:2026-11-20T06:00",
            JobFilter(
                created_after=clock.from_iso("2026-11-20"),
                created_before=clock.from_iso("2026-11-20T06:00:00Z"),
            ),
        ),
        ("-status:completed,ended", JobFilter(status=filtertext.OPEN)),
        ("flow:a,b flow:c", JobFilter(flow="a,b,c")),
        ("-flow:a -flow:b", JobFilter(flow="-a,b")),
        ("created:>2h created:<1h", created(NOW - 7200 * SECOND, NOW - 3600 * SECOND)),
        ("created:2026-11-01", created(DAY_1, DAY_1 + DAY)),
        ("created:2026-11-01..2026-11-02", created(DAY_1, DAY_1 + 2 * DAY)),
        ("finished:<=2026-11-01", JobFilter(finished=(None, DAY_1 + DAY))),
        ("started:>2026-11-01", JobFilter(started=(DAY_1, None))),
        ("duration:>1m", JobFilter(duration=(60 * SECOND, None))),
        ("duration:500ms..2s", JobFilter(duration=(SECOND // 2, 2 * SECOND))),
        ("attempt:>1", JobFilter(attempt=(2, None))),
        ("priority:-5..5", JobFilter(priority=(-5, 5))),
        ("id:7", JobFilter(id=(7, 7))),
        ("params.city:Delft", JobFilter(params=(("city", "Delft"),))),
        ('params.a.b:"x y"', JobFilter(params=(("a.b", "x y"),))),
        ("reason:timeout", JobFilter(reason=(Reason.TIMEOUT,))),
        ("error:KeyError", JobFilter(error="KeyError")),
        ("error:12", JobFilter(error_group=12)),
        ("source:schedule worker:3", JobFilter(source=("schedule",), worker=3)),
        ("parent:none", JobFilter(roots=True)),
        ('"Error: it\'s \\"so\\""', JobFilter(q='Error: it\'s "so"')),
        ("it's 12:30", JobFilter(q="it's 12:30")),
        ("#7", JobFilter(id=(7, 7))),
        (
            "late #1,207 status:failed",
            JobFilter(id=(1207, 1207), status=(Status.FAILED,), q="late"),
        ),
        ('7 "#7" #7b #1,2', JobFilter(q="7 #7 #7b #1,2")),
    ],
)
def test_reads(text: str, expected: JobFilter) -> None:
    assert filtertext.parse(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("state:failed", "filter"),
        ("status:faild", "status"),
        ("status:", "status"),
        ("parent:x", "parent"),
        ("since:yesterday", "since"),
        ("created:..", "created"),
        ("duration:soon", "duration"),
        ("attempt:>x", "attempt"),
        ("params:x", "filter"),
        ("params.city:", "params.city"),
        ("reason:bad", "reason"),
        ("-attempt:1", "attempt"),
        ("flow:a -flow:b", "flow"),
        ("flow:-a", "flow"),
        ("-status:open,ended", "status"),
        ('"open', "filter"),
    ],
)
def test_refuses(text: str, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        filtertext.parse(text, NOW)
    assert caught.value.field == field
