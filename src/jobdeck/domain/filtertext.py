"""The text of a filter, as people write it: `status:failed,stopped flow:load since:2h timeout`."""

import re
import shlex
from typing import Any

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Status

NAMES = ("status", "pipeline", "flow", "queue", "parent", "schedule", "error", "since", "until")
_TERM = re.compile(r"(?P<name>[A-Za-z_]+):(?P<value>.*)", re.DOTALL)


def parse(text: str, now: Micros) -> JobFilter:
    """The filter that a text describes; words without a name are searched for (`q`).

    Values with blanks are quoted: `flow:"load all"`. `since` and `until` take a time, or a
    duration before `now`.

    Raises:
        InvalidValue: a name or value that does not exist; the error names it.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        raise InvalidValue("filter", f"{text!r} has a quote without its end") from None
    values: dict[str, Any] = {}
    search = []
    for word in words:
        term = _TERM.fullmatch(word)
        if term is None or "://" in word:
            search.append(word)
            continue
        name = term["name"].lower()
        if name not in NAMES:
            raise InvalidValue(
                "filter", f"there is no {name!r} to filter by; there are: {', '.join(NAMES)}"
            )
        _add(values, name, term["value"], now)
    if search:
        values["q"] = " ".join(search)
    return JobFilter(**values)


def _add(values: dict[str, Any], name: str, text: str, now: Micros) -> None:
    if not text:
        raise InvalidValue(name, f"has no value; write {name}:VALUE without a blank between")
    if name == "status":
        found = values.get("status", ())
        values["status"] = tuple(dict.fromkeys((*found, *statuses(text))))
    elif name in ("since", "until"):
        values["created_after" if name == "since" else "created_before"] = moment(text, now, name)
    elif name in ("parent", "schedule", "error"):
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise InvalidValue(name, f"{text!r} is not a number")
        values["error_group" if name == "error" else name] = int(text)
    else:
        values[name] = text


def statuses(text: str) -> tuple[Status, ...]:
    """The statuses of a list such as `failed,stopped`.

    Raises:
        InvalidValue: one of them is none.
    """
    found = []
    for part in text.split(","):
        try:
            found.append(Status(part.strip().lower()))
        except ValueError:
            known = ", ".join(status.value for status in Status)
            raise InvalidValue("status", f"{part!r} is not a status; there are: {known}") from None
    return tuple(dict.fromkeys(found))


def moment(text: str, now: Micros, field: str) -> Micros:
    """A time: ISO 8601, or a duration before `now` such as `2h`.

    Raises:
        InvalidValue: it is neither; the error names `field`.
    """
    try:
        seconds = clock.parse_duration(text, field)
    except InvalidValue:
        pass
    else:
        assert seconds is not None
        return now - round(seconds * SECOND)
    try:
        return clock.from_iso(text, field)
    except InvalidValue:
        raise InvalidValue(
            field, f"{text!r} is not a time; write 2026-11-20T13:30, or a duration such as 2h"
        ) from None
