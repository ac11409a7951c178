"""How long what is recorded is kept, and when the clean-up of a day is due."""

import re
from datetime import timedelta
from typing import Any

from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue

FOREVER = "forever"
KEEP_MIN_S = 60.0
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_AT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Keep(Struct, frozen=True, kw_only=True):
    """Seconds that things are kept after their end; None: for ever. `failed` ones are failed or
    stopped; `payload` is the parameters and results of completed jobs that stay."""

    completed: float | None = 30 * 86400.0
    failed: float | None = 30 * 86400.0
    logs: float | None = 7 * 86400.0
    payload: float | None = None
    files: float | None = None
    audit: float | None = 365 * 86400.0

    def words(self) -> dict[str, str]:
        """As somebody would write them."""
        return {name: _words(getattr(self, name)) for name in self.__struct_fields__}


def _words(kept_s: float | None) -> str:
    if kept_s is None:
        return FOREVER
    unit, size = next(each for each in _UNITS if kept_s % each[1] == 0 or each[1] == 1)
    return f"{kept_s / size:g}{unit}"


KINDS = Keep.__struct_fields__


def parse(given: dict[str, Any]) -> Keep:
    """What settings such as `{"completed": "30d", "logs": "forever"}` say.

    Raises:
        InvalidValue: one is neither a duration of at least a minute nor forever; names it.
    """
    return Keep(**{name: seconds(str(text), f"keep_{name}") for name, text in given.items()})


def seconds(text: str, field: str) -> float | None:
    """How many seconds that is; None: for ever.

    Raises:
        InvalidValue: it is neither a duration of at least a minute nor forever.
    """
    if text.strip().lower() == FOREVER:
        return None
    found = clock.parse_duration(text, field)
    if found is None or found < KEEP_MIN_S:
        raise InvalidValue(field, f"{text!r} is less than a minute; write 30d, or {FOREVER}")
    return found


def check_at(text: str) -> str:
    """A time of day.

    Raises:
        InvalidValue: it is none.
    """
    if not _AT.fullmatch(text):
        raise InvalidValue("cleanup_at", f"{text!r} is not a time of day; write 05:00")
    return text


def next_at(text: str, now: Micros) -> Micros:
    """When that time of day, in UTC, comes next after `now`."""
    hour, minute = int(text[:2]), int(text[3:])
    present = clock.to_datetime(now)
    found = present.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return clock.from_datetime(found if found > present else found + timedelta(days=1))


def before(kept_s: float, now: Micros) -> Micros:
    """What ended before that time is not kept any more."""
    return now - round(kept_s * SECOND)
