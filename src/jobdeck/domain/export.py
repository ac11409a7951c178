"""Jobs as lines of a file: CSV for spreadsheets, JSON for programs."""

import csv
import io
from typing import Any

import msgspec

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Job

FORMATS = ("csv", "jsonl")

COLUMNS = (
    *("id", "pipeline", "flow", "queue", "status", "reason", "message", "priority", "attempt"),
    *("losses", "created_at", "run_at", "started_at", "finished_at", "duration_s", "params"),
    *("context", "result", "error_type", "error_message", "error_step", "parent", "retry_of"),
    *("schedule", "source", "created_by", "version", "pool", "worker", "cpu_s", "max_rss_kb"),
)
"""Those of a CSV file."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_encode = msgspec.json.encode


def check_format(text: str) -> str:
    """The format, if it is one.

    Raises:
        InvalidValue: it is not.
    """
    if text not in FORMATS:
        raise InvalidValue("format", f"{text!r} is none of {', '.join(FORMATS)}")
    return text


def head(format_: str) -> str:
    """What stands before the first job."""
    return _line(COLUMNS) if format_ == "csv" else ""


def line(job: Job, format_: str, now: Micros) -> str:
    """One job with the end of its line; `now` is what the duration of a running one is told
    by."""
    values = _values(job, now)
    if format_ == "jsonl":
        return _encode(values).decode() + "\n"
    error = values["error"] or {}
    for name in ("type", "message", "step"):
        values[f"error_{name}"] = error.get(name)
    return _line([_cell(values[name]) for name in COLUMNS])


def _values(job: Job, now: Micros) -> dict[str, Any]:
    """As the API tells them."""
    values: dict[str, Any] = msgspec.to_builtins(job)
    for name, value in values.items():
        if name.endswith("_at") and value is not None:
            values[name] = clock.to_iso(value)
    values["duration_s"] = job.duration_s(now)
    return values


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _encode(value).decode()
    # A spreadsheet would run it as a formula.
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Any) -> str:
    made = io.StringIO()
    csv.writer(made).writerow(cells)
    return made.getvalue()
