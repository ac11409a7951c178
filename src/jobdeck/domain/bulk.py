"""Doing the same to many jobs: what may be done, and what is told of it."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Job

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


def order(action: str, from_: str, priority: int | None, queue: str) -> Order:
    """What is to be done to each, of values as somebody gave them.

    Raises:
        InvalidValue: there is no such action, or the one that there is takes a priority.
    """
    if action not in VERBS:
        raise InvalidValue("action", f"{action!r} is none of {', '.join(VERBS)}")
    if action == "priority" and priority is None:
        raise InvalidValue("priority", "is required: the new one")
    return Order(action=action, from_=from_, priority=priority or 0, queue=queue)


class Item(Struct, frozen=True, kw_only=True):
    """What became of one job. `outcome` is done, skipped, or empty: its turn has not come yet;
    `message` says why it was skipped, or more of what was done."""

    job: int
    outcome: str = ""
    message: str = ""


class Bulk(Struct, frozen=True, kw_only=True):
    """What was done, or is to be: `number` of jobs that are meant (`more` than that if not all
    were counted) with some `examples`; what became of the `items` if it was done at once; or the
    `job` that does it."""

    action: str
    number: int
    more: bool = False
    examples: list[int] = []
    items: list[Item] = []
    job: Job | None = None


def summary(action: str, done: int, skipped: Mapping[str, int]) -> str:
    """What was done so far, such as "300 stopped, 45 skipped (40: it has ended)"."""
    number = sum(skipped.values())
    text = f"{done:,} {PAST[action]}"
    if number:
        why = ", ".join(f"{n:,}: {reason}" for reason, n in list(skipped.items())[:3])
        text += f", {number:,} skipped ({why})"
    return text
