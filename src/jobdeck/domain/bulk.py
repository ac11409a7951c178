"""Doing the same to many jobs: what may be done, and what is told of it."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

AT_ONCE = 100
"""So few jobs are changed while the caller waits; more of them become a job of queue BULK."""

IDS_MAX = 10_000
"""Numbers of jobs that one call may give; for more there is a filter."""

Verb = Literal["retry", "stop", "kill", "delete", "priority", "move"]
VERBS: tuple[Verb, ...] = ("retry", "stop", "kill", "delete", "priority", "move")

PAST: Mapping[str, str] = {
    "retry": "retried",
    "stop": "stopped",
    "kill": "killed",
    "delete": "deleted",
    "priority": "given another priority",
    "move": "moved",
}

DONE, SKIPPED, WAITING = "done", "skipped", "waiting"
OUTCOMES = (DONE, SKIPPED, WAITING)


class Order(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """What is to be done to each: `from_` says where a retry begins (failed_step or start),
    `priority` is the new one, `queue` the one to move to."""

    action: Verb
    from_: str = "failed_step"
    priority: int = 0
    queue: str = ""


class Item(Struct, frozen=True, kw_only=True):
    """What became of one job. `outcome` is done, skipped, or empty: its turn has not come yet;
    `message` says why it was skipped, or more of what was done."""

    job: int
    outcome: str = ""
    message: str = ""


def summary(action: str, done: int, skipped: Mapping[str, int], total: int | None = None) -> str:
    """How far it is, such as "345 of 1,000: 300 stopped, 45 skipped (40: it has ended)"."""
    number = sum(skipped.values())
    text = f"{done:,} {PAST[action]}"
    if number:
        why = ", ".join(f"{n:,}: {reason}" for reason, n in list(skipped.items())[:3])
        text += f", {number:,} skipped ({why})"
    return text if total is None else f"{done + number:,} of {total:,}: {text}"
