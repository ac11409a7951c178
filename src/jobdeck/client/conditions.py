"""Times and conditions as callers from Python give them."""

from datetime import datetime
from typing import Any

from jobdeck.domain import clock, filtertext
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import JobFilter


def moment(at: datetime | Micros | str | None, field: str) -> Micros | None:
    """The time that a caller gave in one of these forms.

    Raises:
        InvalidValue: it is none; the error names `field`.
    """
    if at is None or isinstance(at, int):
        return at
    return clock.from_iso(at, field) if isinstance(at, str) else clock.from_datetime(at)


def schedule_times(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a schedule, with its times as the store has them.

    Raises:
        InvalidValue: one is no time; names it.
    """
    times: dict[str, Any] = {
        name: moment(settings[name], name) for name in ("start_at", "end_at") if name in settings
    }
    for name, at in times.items():
        clock.check(at, name)
    return {**settings, **times}


def filter_of(wanted: JobFilter | str | None, conditions: dict[str, Any]) -> JobFilter:
    """The filter that a caller gave: as it is, as text, or as conditions by name.

    Raises:
        InvalidValue: there is no such condition, or a value does not fit; names it.
    """
    if isinstance(wanted, JobFilter):
        return wanted
    if wanted is not None:
        return filtertext.parse(wanted, clock.now())
    known = JobFilter.__struct_fields__
    for name in conditions:
        if name not in known:
            raise InvalidValue(name, f"no such condition; there are: {', '.join(known)}")
    values = dict(conditions)
    status = values.get("status", ())
    texts = [status] if isinstance(status, str) else status
    values["status"] = filtertext.statuses(",".join(texts)) if texts else ()
    for name in ("created_after", "created_before"):
        values[name] = moment(values.get(name), name)
    return JobFilter(**values)
