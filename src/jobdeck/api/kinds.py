"""Parameters that several calls take, and lists as they are answered."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter, SkipValidation
from msgspec import Struct, structs

from jobdeck.actions.once import HEADER, Once
from jobdeck.domain import clock, filtertext, filtervalues
from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import PAGE_MAX, SORTS, JobFilter
from jobdeck.domain.roles import Actor
from jobdeck.domain.states import Status

T = TypeVar("T")

Reason = Annotated[str, QueryParameter(description="Why, for the audit", max_length=2000)]
Limit = Annotated[int, QueryParameter(description="At most so many", ge=1, le=PAGE_MAX)]
After = Annotated[int, QueryParameter(description="Only what follows this id", ge=0, le=2**53)]
Wait = Annotated[
    float,
    QueryParameter(description="Wait at most so many seconds for the job to end", ge=0, le=300),
]
StaleAfter = Annotated[
    float,
    QueryParameter(
        description="Seconds without a sign of life that are too long", ge=60, le=366 * 86400
    ),
]
_Text = Annotated[str, QueryParameter(max_length=200)]
_Number = Annotated[int | None, QueryParameter(ge=1, le=2**53)]
_Time = Annotated[
    str | None,
    QueryParameter(description="ISO 8601 date or time; without a zone it is UTC"),
]
_Statuses = Annotated[
    list[str] | None,
    QueryParameter(
        description="One or several, repeated or separated by commas: "
        + ", ".join(status.value for status in Status)
    ),
]
Sort = Annotated[
    str,
    QueryParameter(
        description=f"One or several of {', '.join(SORTS)}, separated by commas; - before one "
        "for descending order",
    ),
]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before")]


IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        description="Another call with the same key and the same content within 24 hours creates "
        "nothing: the jobs of the first one answer it",
    ),
]


def once_of(actor: Actor, key: str | None, address: str, body: Struct) -> Once | None:
    """What the key stands for: the call with its address and body, however that is written.

    Raises:
        InvalidValue: the key is empty or too long.
    """
    if key is None:
        return None
    content = msgspec.json.encode(body, order="sorted")
    return Once.of(actor, key, f"{address}\n".encode() + content)


class Items(Struct, Generic[T], frozen=True):
    """A whole list, or with `next` the id to give as `after` for what follows."""

    items: list[T]
    next: int | None = None


def job_filter(
    status: _Statuses = None,
    pipeline: _Text = "",
    flow: _Text = "",
    queue: _Text = "",
    created_after: _Time = None,
    created_before: _Time = None,
    q: Annotated[
        str,
        QueryParameter(
            description="A filter as on the page, such as `status:failed created:>2d`, or text "
            "in parameters, message or error; the other parameters replace what it says of the "
            "same",
            max_length=2000,
        ),
    ] = "",
    parent: _Number = None,
    schedule: _Number = None,
    error: Annotated[
        int | None, QueryParameter(description="Number of an error group", ge=1, le=2**53)
    ] = None,
) -> JobFilter:
    """The filter that a query describes.

    Raises:
        InvalidValue: names the parameter that cannot be read.
    """
    given = {
        "status": _statuses(status or ()),
        "pipeline": pipeline,
        "flow": flow,
        "queue": queue,
        "created_after": moment_of(created_after, "created_after"),
        "created_before": moment_of(created_before, "created_before"),
        "parent": parent,
        "schedule": schedule,
        "error_group": error,
    }
    own = {name: value for name, value in given.items() if value not in ((), "", None)}
    return structs.replace(filtertext.parse(q, clock.now()), **own)


Wanted = NamedDependency[SkipValidation[JobFilter]]
"""Annotates the parameter `wanted` of a handler that takes the filter's parameters."""


def _statuses(texts: Sequence[str]) -> tuple[Status, ...]:
    named = ",".join(text for text in texts if text)
    return filtertext.statuses(named) if named else ()


def moment_of(text: str | None, field: str) -> Micros | None:
    """The time that a query says, if any.

    Raises:
        InvalidValue: it is none; the error names `field`.
    """
    if not text:
        return None
    if "T" in text:
        # An unescaped + before the zone arrives as a space.
        text = text.replace(" ", "+")
    return filtervalues.moment(text, clock.now(), field)
