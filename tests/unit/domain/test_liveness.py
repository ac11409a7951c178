"""Which jobs count as stuck, and what recovering would do."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.liveness import KINDS, Standing, Verdict, check_stale, judge
from jobdeck.domain.records import Pool
from jobdeck.domain.serving import Lack
from jobdeck.domain.states import Status

NOW = 1_780_000_000 * SECOND
HOUR = 3600 * SECOND
LACK = Lack(code="no_pool", sentence="No pool is alive.", advice="start one")


def pool(**more: Any) -> Pool:
    values: dict[str, Any] = {
        "id": 1,
        "host": "box",
        "pid": 1,
        "started_at": 0,
        "heartbeat_at": NOW,
        "concurrency": 2,
        "state": "running",
    }
    return Pool(**{**values, **more})


def ask(status: Status, pools: list[Pool] | None = None, **more: Any) -> Verdict:
    values: dict[str, Any] = {"job": 7, "flow": "f", "queue": "q", "since": NOW - 5 * SECOND}
    standing = Standing(status=status, **{**values, **more})
    return judge(standing, [pool()] if pools is None else pools, NOW)


HELD: dict[str, Any] = {"pool": 1, "worker": 4, "begun": True}
OLD: dict[str, Any] = {"since": NOW - 3 * HOUR}
CASES: list[tuple[str, str, bool, str, Verdict]] = [
    ("active", "", False, "live worker", ask(Status.RUNNING, **HELD)),
    ("active", "", False, "taken it", ask(Status.PENDING, pool=1)),
    ("active", "", False, "", ask(Status.RUNNING, **HELD, **OLD, checked_in_at=NOW - SECOND)),
    ("stale", "", True, "3 h 00 min", ask(Status.RUNNING, **HELD, **OLD)),
    ("orphaned", "give_back", True, "has ended", ask(Status.RUNNING, [], **HELD)),
    ("orphaned", "give_back", True, "has ended", ask(Status.PENDING, [], pool=1)),
    (
        *("orphaned", "give_back", True, "last heard of 3 h"),
        ask(Status.RUNNING, [pool(heartbeat_at=NOW - 3 * HOUR)], **HELD),
    ),
    (
        *("orphaned", "give_back", True, "The worker of pool 1"),
        ask(Status.RUNNING, pool=1, begun=True, **OLD),
    ),
    ("active", "", False, "", ask(Status.RUNNING, pool=1, begun=True)),
    (
        *("waiting_for_children", "", False, "1,200 of its children"),
        ask(Status.RUNNING, [], parked=True, open_children=1200, **OLD),
    ),
    ("not_woken", "wake", True, "have ended", ask(Status.RUNNING, [], parked=True)),
    ("overdue", "promote", True, "3 h", ask(Status.SCHEDULED, run_at=NOW - 3 * HOUR)),
    ("waiting", "", False, "", ask(Status.RETRYING, run_at=NOW - SECOND)),
    ("no_pool", "", True, "No pool is alive. What to do: start one", ask(
        Status.PENDING, [], lack=LACK, **OLD)),
    ("waiting", "", False, "", ask(Status.PENDING, [], lack=LACK)),
    ("waiting", "", False, "3 h", ask(Status.PENDING, **OLD)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "remedy", "stuck", "told", "verdict"), CASES)
def test_verdicts(kind: str, remedy: str, stuck: bool, told: str, verdict: Verdict) -> None:
    assert (verdict.kind, verdict.remedy, verdict.stuck) == (kind, remedy, stuck)
    assert told in verdict.why


def test_every_kind_occurs_and_nothing_that_gets_on_is_touched() -> None:
    verdicts = [case[-1] for case in CASES]
    assert {verdict.kind for verdict in verdicts} == set(KINDS)
    assert all(verdict.stuck for verdict in verdicts if verdict.remedy)


@pytest.mark.parametrize("stale_s", [0, 59, -1, float("nan"), float("inf")])
def test_a_time_that_means_nothing_is_refused(stale_s: float) -> None:
    with pytest.raises(InvalidValue, match="stale_s"):
        check_stale(stale_s)
