"""How a flow or pipeline does, told by its latest runs."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.states import Reason, Status

RUNS = 10
"""So many of the latest runs are looked at."""

STREAK = 3
"""So many failures one after the other, or runs without items, are a pattern."""


class Run(Struct, frozen=True, kw_only=True):
    """An execution that has ended, in brief."""

    job: int
    status: Status
    reason: Reason | None = None
    started_at: Micros | None = None
    finished_at: Micros | None = None

    @property
    def took_s(self) -> float | None:
        """Seconds from start to end; None: it never began."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(self.finished_at - self.started_at, 0) / SECOND


class State(StrEnum):
    """What the latest runs say in one word."""

    NEW = "new"
    HEALTHY = "healthy"
    SHAKY = "shaky"
    FAILING = "failing"
    IDLE = "idle"


class Health(Struct, frozen=True, kw_only=True):
    """`failures` and `empty` count the latest runs that failed, or found no items, one after the
    other."""

    state: State
    failures: int = 0
    empty: int = 0


def judge(runs: Sequence[Run]) -> Health:
    """The health that the latest runs tell, the newest first. Stopped ones say nothing."""
    told = [run for run in runs if run.status is not Status.STOPPED][:RUNS]
    failures = _streak(run.status is Status.FAILED for run in told)
    empty = _streak(run.reason is Reason.NO_ITEMS for run in told)
    if not told:
        state = State.NEW
    elif failures >= STREAK:
        state = State.FAILING
    elif empty >= STREAK:
        state = State.IDLE
    elif any(run.status is Status.FAILED for run in told):
        state = State.SHAKY
    else:
        state = State.HEALTHY
    return Health(state=state, failures=failures, empty=empty)


def _streak(marks: Iterable[bool]) -> int:
    count = 0
    for mark in marks:
        if not mark:
            break
        count += 1
    return count
