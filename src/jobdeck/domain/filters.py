"""Which jobs are meant, in what order, and one page of them."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from msgspec import Struct

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.states import Reason, Status

T = TypeVar("T")

PAGE = 50
PAGE_MAX = 500
ROWS_MAX = 20_000
"""A list call reads at most so many rows, then answers with `next` and how far it looked."""

SORTS = ("id", "created", "started", "finished", "duration", "priority", "status")


def check_sort(keys: Iterable[str]) -> list[str]:
    """What a list is sorted by, `-` before what is descending; without those that are empty.

    Raises:
        InvalidValue: one is no column that a list can be sorted by.
    """
    found = [key for key in keys if key]
    for key in found:
        if key.removeprefix("-") not in SORTS:
            raise InvalidValue("sort", f"{key!r} is none of {', '.join(SORTS)}")
    return found


Range = tuple[int | None, int | None]
"""From the first number to the second, None: without an end."""

ANY: Range = (None, None)


class JobFilter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every condition that is set must hold; an empty one lets all pass.

    `pipeline`, `flow` and `queue` name one or several, separated by commas; a `-` before them
    means: none of these. `q` is a text that must occur in the parameters, the message or the
    error; `error` one that must occur in the error, and `error_group` the number of an error
    group: jobs that stand failed by that error. `roots` leaves children out. Of times, in
    microseconds, the first is within and the second is not; of other ranges both are. `params`
    are names and the values that they must have, as text.
    """

    status: tuple[Status, ...] = ()
    pipeline: str = ""
    flow: str = ""
    queue: str = ""
    created_after: Micros | None = None
    created_before: Micros | None = None
    q: str = ""
    parent: int | None = None
    schedule: int | None = None
    roots: bool = False
    error_group: int | None = None
    id: Range = ANY
    started: Range = ANY
    finished: Range = ANY
    duration: Range = ANY
    attempt: Range = ANY
    priority: Range = ANY
    params: tuple[tuple[str, str], ...] = ()
    reason: tuple[Reason, ...] = ()
    source: tuple[str, ...] = ()
    error: str = ""
    worker: int | None = None
    pool: int | None = None


def names(text: str) -> tuple[list[str], bool]:
    """The names that a condition such as `pipeline` holds, and whether those are meant that
    have none of them."""
    others = text.startswith("-")
    return [name for name in text.removeprefix("-").split(",") if name], others


class LogFilter(Struct, frozen=True, kw_only=True):
    """Which lines of which jobs; every condition that is set must hold. `level` is the least one,
    `q` a text that must occur."""

    q: str = ""
    level: str = ""
    pipeline: str = ""
    flow: str = ""
    job: int | None = None
    after: Micros | None = None
    before: Micros | None = None


class Page(Struct, Generic[T], frozen=True):
    """Some of a list; `next` is the cursor of what follows and `prev` of what stands before
    (None: nothing), and `searched_to` how far back a filter or an order that needs searching
    has looked so far, for which it `read` so many rows."""

    items: list[T]
    next: str | None = None
    searched_to: Micros | None = None
    prev: str | None = None
    read: int = 0
