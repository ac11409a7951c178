"""What the latest runs say of a flow."""

from __future__ import annotations

import pytest

from jobdeck.domain.health import Run, State, judge
from jobdeck.domain.states import Reason, Status

RUNS = {
    "c": Run(job=1, status=Status.COMPLETED),
    "f": Run(job=1, status=Status.FAILED, reason=Reason.ERROR),
    "e": Run(job=1, status=Status.COMPLETED, reason=Reason.NO_ITEMS),
    "s": Run(job=1, status=Status.STOPPED),
}


@pytest.mark.parametrize(
    ("newest_first", "state", "failures", "empty"),
    [
        ("", State.NEW, 0, 0),
        ("sss", State.NEW, 0, 0),
        ("ccc", State.HEALTHY, 0, 0),
        ("f", State.SHAKY, 1, 0),
        ("ffc", State.SHAKY, 2, 0),
        ("cff", State.SHAKY, 0, 0),
        ("fff", State.FAILING, 3, 0),
        ("fsfscf", State.SHAKY, 2, 0),
        ("fsfsf", State.FAILING, 3, 0),
        ("eec", State.HEALTHY, 0, 2),
        ("eee", State.IDLE, 0, 3),
        ("eeef", State.IDLE, 0, 3),
        ("ccccccccccf", State.HEALTHY, 0, 0),
    ],
)
def test_health(newest_first: str, state: State, failures: int, empty: int) -> None:
    told = judge([RUNS[letter] for letter in newest_first])
    assert (told.state, told.failures, told.empty) == (state, failures, empty)


def test_a_run_that_never_began_took_no_time() -> None:
    assert RUNS["s"].took_s is None
    assert Run(job=1, status=Status.FAILED, started_at=1, finished_at=2_000_001).took_s == 2.0
