"""Attempts and steps on one line of time, long waits drawn short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Attempt, Job, Step
from jobdeck.domain.states import Status
from jobdeck.web import timeline
from jobdeck.web.timeline import WIDTH

HOUR = 3600 * SECOND


def job(status: Status = Status.COMPLETED, finished_at: int | None = None) -> Job:
    """A job that was created at 0."""
    return Job(
        id=1,
        pipeline="p",
        flow="p",
        queue="q",
        status=status,
        created_at=0,
        finished_at=finished_at,
    )


def attempt(number: int, status: Status, began: int, ended: int | None) -> Attempt:
    """An attempt between two times."""
    return Attempt(attempt=number, status=status, started_at=began, finished_at=ended)


def test_waiting_and_running_stand_apart() -> None:
    found = timeline.build(
        job(finished_at=10 * SECOND),
        [attempt(1, Status.COMPLETED, SECOND, 10 * SECOND)],
        [],
        now=99 * SECOND,
    )
    (line,) = found.lines
    assert [(bar.kind, bar.x, bar.width) for bar in line.bars] == [
        ("queued", 0, 100),
        ("completed", 100, 900),
    ]
    assert line.queued_s == 1
    assert found.span_s == 10
    assert not found.gaps


def test_a_long_wait_takes_a_fifth_of_the_work() -> None:
    found = timeline.build(
        job(finished_at=6 * HOUR + 10 * SECOND),
        [attempt(1, Status.COMPLETED, 6 * HOUR, 6 * HOUR + 10 * SECOND)],
        [],
        now=7 * HOUR,
    )
    queued, ran = found.lines[0].bars
    assert queued.width == pytest.approx(ran.width / 5, abs=0.1)
    assert found.gaps[0].seconds == 6 * 3600


def test_a_short_wait_is_as_long_as_it_was() -> None:
    ran = attempt(1, Status.COMPLETED, 3 * SECOND, 4 * SECOND)
    found = timeline.build(job(finished_at=4 * SECOND), [ran], [], now=HOUR)
    queued, took = found.lines[0].bars
    assert queued.width == pytest.approx(3 * took.width, abs=0.1)
    assert not found.gaps


def test_each_attempt_waits_from_the_end_of_the_last() -> None:
    found = timeline.build(
        job(Status.RUNNING),
        [
            attempt(1, Status.RETRYING, SECOND, 3 * SECOND),
            attempt(2, Status.RUNNING, 5 * SECOND, None),
        ],
        [],
        now=9 * SECOND,
    )
    first, second = found.lines
    assert (first.status, first.bars[-1].kind) == (Status.FAILED, "failed")
    assert second.queued_s == 2
    assert second.bars[-1].kind == "running"
    assert second.bars[-1].x + second.bars[-1].width == pytest.approx(WIDTH, abs=0.2)


def test_of_many_attempts_the_first_shown_does_not_tell_how_long_it_waited() -> None:
    shown = [
        attempt(n, Status.RETRYING, n * 10 * SECOND, (n * 10 + 4) * SECOND) for n in range(70, 73)
    ]
    found = timeline.build(job(finished_at=HOUR), shown, [], now=HOUR)
    assert [line.queued_s for line in found.lines] == [None, 6, 6]


def test_a_job_that_waits_for_its_next_attempt_shows_it() -> None:
    found = timeline.build(
        job(Status.RETRYING),
        [attempt(1, Status.RETRYING, SECOND, 3 * SECOND)],
        [],
        now=9 * SECOND,
    )
    assert [line.name for line in found.lines] == ["Attempt 1", "Attempt 2"]
    assert found.lines[1].queued_s == 6


def test_a_step_that_was_not_reached_has_no_bar() -> None:
    steps = [Step(position=0, name="load", status=Status.PENDING)]
    found = timeline.build(job(Status.RUNNING), [], steps, now=SECOND)
    assert found.lines[-1].bars == []


times = st.integers(min_value=0, max_value=30 * HOUR)


@given(st.lists(st.tuples(times, times), max_size=6), times)
def test_every_bar_lies_within(spans: list[tuple[int, int]], now: int) -> None:
    edges = sorted({edge for span in spans for edge in span})
    tries = [
        attempt(number + 1, Status.RETRYING, begin, end)
        for number, (begin, end) in enumerate(zip(edges[::2], edges[1::2], strict=False))
    ]
    end = max([now, *edges])
    found = timeline.build(job(Status.RUNNING), tries, [], now=end)
    for line in found.lines:
        for bar in line.bars:
            assert bar.x >= 0
            assert bar.width >= 0
            assert bar.x + bar.width <= WIDTH + 0.2


def test_a_job_that_waits_for_its_first_attempt_shows_that() -> None:
    made = timeline.build(job(Status.PENDING), [], [], 5 * SECOND)
    (line,) = made.lines
    assert (line.name, line.queued_s, line.bars[0].kind) == ("Attempt 1", 5.0, "queued")
