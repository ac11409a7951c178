"""Unique keys: which jobs are the same, for how long, and what becomes of a second one."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue

KEY_CHARS = 200
FOR_MAX_S = 366 * 86400


class Within(StrEnum):
    """Among which jobs a key is unique: those of the flow, of its queue, or all."""

    FLOW = "flow"
    QUEUE = "queue"
    ALL = "all"


class OnDuplicate(StrEnum):
    """A second job is refused, or the first one is kept and takes its place."""

    REJECT = "reject"
    KEEP = "keep"


class Kept(int):
    """The number of a job that was there already: no other one was created beside it."""

    __slots__ = ()


class Wish(Struct, frozen=True, kw_only=True):
    """What whoever creates a job asks for: a `key` (None: as its pipeline says), within which
    jobs, for how many seconds after its creation (None: while it is open)."""

    key: str | None = None
    within: str = Within.FLOW
    for_s: float | None = None
    on_duplicate: str = OnDuplicate.REJECT


NO_WISH = Wish()


class Unique(Struct, frozen=True, kw_only=True):
    """What a job is created with: its key as the store keeps it, until when the key is its own
    even after its end, and whether a job that has it already is kept."""

    key: str
    until: Micros | None = None
    keep: bool = False


def check(wish: Wish) -> None:
    """Refuse what does not fit together.

    Raises:
        InvalidValue: names the field.
    """
    key: object = wish.key
    if key is None:
        if wish != NO_WISH:
            field = "unique_for" if wish.for_s is not None else "unique_in"
            field = "on_duplicate" if wish.on_duplicate != OnDuplicate.REJECT else field
            raise InvalidValue(field, "goes with a unique_key; give one, too")
        return
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_CHARS or "\0" in key:
        raise InvalidValue(
            "unique_key", f"is not a text of 1 to {KEY_CHARS} characters, such as 'order-17'"
        )
    if wish.within not in list(Within):
        raise InvalidValue("unique_in", f"{wish.within!r} is none of {', '.join(Within)}")
    check_rule(wish.on_duplicate, "on_duplicate")
    if wish.for_s is not None and not 0 < wish.for_s <= FOR_MAX_S:
        raise InvalidValue("unique_for", "is not a time of at most 366 days")


def check_rule(rule: object, field: str) -> str:
    """What becomes of a second job, if it is one of the rules.

    Raises:
        InvalidValue: it is not; names the field.
    """
    if rule not in list(OnDuplicate):
        raise InvalidValue(field, f"{rule!r} is neither {' nor '.join(OnDuplicate)}")
    return str(rule)


def resolve(
    wish: Wish,
    rule: str,
    *,
    flow_id: int,
    queue_id: int,
    params: Mapping[str, Any],
    context: str,
    now: Micros,
) -> Unique | None:
    """What the job is created with. `rule` is its pipeline's for jobs with the same parameters
    (empty: none), which a key of its own replaces."""
    if wish.key is not None:
        number = {Within.FLOW: flow_id, Within.QUEUE: queue_id}.get(Within(wish.within), "")
        return Unique(
            key=f"{wish.within}:{number}:{wish.key}",
            until=None if wish.for_s is None else now + round(wish.for_s * SECOND),
            keep=wish.on_duplicate == OnDuplicate.KEEP,
        )
    if not rule:
        return None
    told = msgspec.json.encode([params, context], order="sorted")
    digest = hashlib.sha256(told).hexdigest()[:32]
    return Unique(key=f"params:{flow_id}:{digest}", keep=rule == OnDuplicate.KEEP)


def given(key: str | None) -> str:
    """The key as it was given, from the form in which the store keeps it; for jobs that are
    unique by their parameters, `params:` and a digest."""
    if not key:
        return ""
    kind, _, rest = key.partition(":")
    text = rest.partition(":")[2]
    return f"params:{text}" if kind == "params" else text


def describe(key: str) -> str:
    """What jobs with that key have in common, in words."""
    kind, _, rest = key.partition(":")
    if kind == "params":
        return "the same parameters"
    where = {"flow": " in its flow", "queue": " in its queue"}.get(kind, "")
    return f"the unique key {rest.partition(':')[2]!r}{where}"
