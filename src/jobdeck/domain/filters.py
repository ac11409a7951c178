"""Which jobs are meant, in what order, and one page of them."""

from typing import Generic, TypeVar

from msgspec import Struct

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Status

T = TypeVar("T")

PAGE = 50
PAGE_MAX = 500
ROWS_MAX = 20_000
"""A list call reads at most so many rows, then answers with `next` and how far it looked."""

SORTS = ("id", "created", "started", "finished", "duration", "priority", "status")


class JobFilter(Struct, frozen=True, kw_only=True):
    """Every condition that is set must hold; an empty one lets all pass. `q` is a text that
    must occur in the parameters, the message or the error; `roots` leaves children out;
    `error_group` is the number of an error group: jobs that stand failed by that error."""

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


class Page(Struct, Generic[T], frozen=True):
    """Some of a list; `next` is the cursor of what follows (None: that was all), and
    `searched_to` how far back a filter that needs searching has looked so far."""

    items: list[T]
    next: str | None = None
    searched_to: Micros | None = None
