"""The text of a filter means what it says."""

from __future__ import annotations

import pytest

from jobdeck.domain import clock, filtertext
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Status

NOW = clock.from_iso("2026-11-20T12:00:00Z")


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
        ('"open', "filter"),
    ],
)
def test_refuses(text: str, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        filtertext.parse(text, NOW)
    assert caught.value.field == field
