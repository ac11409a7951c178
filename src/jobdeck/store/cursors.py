"""Cursors: where a page of a list ended, opaque to whoever passes them back."""

import base64
import binascii
from typing import Any

import msgspec

from jobdeck.domain.errors import InvalidValue

_TYPES = (int, float, bool)


BEFORE = "<"
"""Marks the cursor of what stands before a place."""


def write(order: str, place: list[Any], *, before: bool = False) -> str:
    """The cursor of a list in that order that has come to that place, a list of numbers; or of
    what stands `before` it."""
    text = msgspec.json.encode([BEFORE + order if before else order, place])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_either(cursor: str, order: str, length: int) -> tuple[list[Any], bool]:
    """The place that `write` was given, and whether what stands before it is meant.

    Raises:
        InvalidValue: as `read`.
    """
    try:
        return read(cursor, BEFORE + order, length), True
    except InvalidValue:
        return read(cursor, order, length), False


def read(cursor: str, order: str, length: int, *, texts: bool = False) -> list[Any]:
    """The place that `write` was given; of `texts`, where the list is sorted by such.

    Raises:
        InvalidValue: it is no cursor, or one of a list in another order.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found, place = msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=tuple[str, list[Any]]
        )
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _invalid(cursor, "is not one that a list has given") from None
    if found != order:
        raise _invalid(cursor, f"belongs to a list sorted by {found}, not by {order}")
    sound = _sound_text if texts else _sound
    if len(place) != length or not all(sound(value) for value in place):
        raise _invalid(cursor, "is not one that a list has given")
    return place


def _sound(value: Any) -> bool:
    return isinstance(value, _TYPES) and abs(value) < 2**62


def _sound_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _invalid(cursor: str, why: str) -> InvalidValue:
    return InvalidValue("cursor", f"{cursor[:40]!r} {why}; start again without it")
