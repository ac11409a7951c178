"""The form of a schedule: its fields, what they say, and when it would fire."""

import json
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any
from zoneinfo import available_timezones

from litestar import Response, get
from litestar.enums import MediaType

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Schedule
from jobdeck.domain.ticks import Times, check_rules
from jobdeck.http.auth import VIEWER
from jobdeck.store.schedules import TIMES
from jobdeck.web import params_form
from jobdeck.web.fields import Answers, Field, reason_field
from jobdeck.web.render import AnyRequest, AtPages
from jobdeck.web.schedule_words import MISFIRES, OVERLAPS, when

TICKS = 5
"""So many of the next ticks are shown while somebody types."""


def values_of(schedule: Schedule) -> dict[str, str]:
    """What the form of that schedule says at first."""
    every = schedule.interval_s
    return {
        "flow": schedule.flow,
        "cron": schedule.cron,
        "interval_s": "" if every is None else _short(every),
        "timezone": schedule.timezone,
        "start_at": _local(schedule.start_at),
        "end_at": _local(schedule.end_at),
        "jitter_s": _short(schedule.jitter_s) if schedule.jitter_s else "",
        "misfire": schedule.misfire,
        "overlap": schedule.overlap,
        "params": json.dumps(schedule.params, indent=2, ensure_ascii=False)
        if schedule.params
        else "",
        "vendor_type": schedule.vendor_type,
        "vendor_id": schedule.vendor_id,
    }


def fields(given: Answers, flows: list[str], *, reason: bool) -> list[Field]:
    """The fields with what was given; those that are rarely needed are folded away."""
    field = partial(_field, given)
    return [
        field(
            "flow",
            "Flow",
            kind="select",
            required=True,
            options=[(name, name) for name in flows],
        ),
        field(
            "cron",
            "Cron expression",
            "Minute, hour, day, month, weekday, such as 0 5 * * 1-5; with six fields the first "
            "one is seconds.",
        ),
        field("interval_s", "Or every", "Instead of cron: 30s, 15m, 1h 30m, 1d."),
        field(
            "timezone",
            "Time zone",
            "Whose clock the cron expression means, such as Europe/Amsterdam. Empty: UTC.",
            suggestions=sorted(available_timezones()),
        ),
        *([reason_field(given, required=False)] if reason else []),
        *_rarely_needed(given),
    ]


def _field(given: Answers, name: str, label: str, hint: str = "", **more: Any) -> Field:
    return Field(name=name, label=label, hint=hint, value=given.get(name, ""), **more)


def _rarely_needed(given: Answers) -> list[Field]:
    field = partial(_field, given, more=True)
    return [
        field(
            "start_at",
            "Starts",
            "No tick before this time; intervals count from it.",
            kind="datetime-local",
            step="1",
        ),
        field("end_at", "Ends", "No tick after this time.", kind="datetime-local", step="1"),
        field(
            "jitter_s",
            "Jitter",
            "Each job starts up to so much later than its tick, so that not all start at once: "
            "30s, 5m. Empty: on time.",
        ),
        field(
            "misfire",
            "Ticks that were missed",
            "While no server ran, or while it was paused.",
            kind="select",
            required=True,
            options=list(MISFIRES),
        ),
        field(
            "overlap",
            "While its last job has not ended",
            kind="select",
            required=True,
            options=list(OVERLAPS),
        ),
        field(
            "params",
            "Parameters (JSON)",
            'Laid over those of the flow, such as {"city": "Delft"}.',
            kind="area",
        ),
        field("vendor_type", "Vendor type", "What owns this schedule, for lists."),
        field("vendor_id", "Vendor ID", "Which one of these."),
    ]


def read(given: Answers) -> dict[str, Any]:
    """The settings that a form says, without its flow.

    Raises:
        InvalidValue: names the field that cannot be read.
    """
    text = {name: value.strip() for name, value in given.items()}
    jitter = text.get("jitter_s", "")
    settings: dict[str, Any] = {
        **_times(text),
        "jitter_s": 0.0 if jitter in ("", "0") else clock.parse_duration(jitter, "jitter_s"),
        "misfire": text.get("misfire") or MISFIRES[0][0].value,
        "overlap": text.get("overlap") or OVERLAPS[0][0].value,
        "params": params_form.read({}, {"params": text.get("params") or "{}"}),
        "vendor_type": text.get("vendor_type", ""),
        "vendor_id": text.get("vendor_id", ""),
    }
    check_rules(settings)
    return settings


def _times(text: Mapping[str, str]) -> dict[str, Any]:
    every = text.get("interval_s", "")
    return {
        "cron": text.get("cron", ""),
        "interval_s": clock.parse_duration(every, "interval_s") if every else None,
        "timezone": text.get("timezone") or "UTC",
        "start_at": _moment(text, "start_at"),
        "end_at": _moment(text, "end_at"),
    }


def _moment(text: Mapping[str, str], field: str) -> Micros | None:
    value = text.get(field, "")
    return clock.from_iso(value, field) if value else None


@get("/schedules/preview", opt=VIEWER, sync_to_thread=True)
def preview(request: AnyRequest, pages: AtPages) -> Response[str]:
    """When what the form says would fire: in words and its next ticks, or what is wrong."""
    given = {str(name): str(value) for name, value in request.query_params.items()}
    now = clock.now()
    found: dict[str, Any] = {"error": "", "when": None, "ticks": [], "jitter_s": 0.0}
    if given.get("cron", "").strip() or given.get("interval_s", "").strip():
        try:
            settings = read(given)
            times = Times(made_at=now, **{name: settings[name] for name in TIMES})
            times.check(now)
            rules = {name: settings[name] for name in (*TIMES, "jitter_s", "misfire", "overlap")}
            schedule = Schedule(id=0, flow="", created_at=now, updated_at=now, **rules)
            found |= {
                "when": when(schedule),
                "ticks": list(islice(times.ticks(now), TICKS)),
                "jitter_s": settings["jitter_s"],
            }
        except InvalidValue as error:
            found["error"] = str(error)
    body = pages.html("schedules/preview.html", now=now, **found)
    return Response(body, media_type=MediaType.HTML)


def _local(at: Micros | None) -> str:
    return "" if at is None else clock.to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S")


def _short(seconds: float) -> str:
    """A duration as `parse_duration` reads it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
