"""`ctx.log`: lines with fields."""

from __future__ import annotations

import traceback
from typing import Any

import msgspec

from jobdeck.sdk import jsonable
from jobdeck.sdk.runtime import JobView, Runtime

FIELDS_BYTES = 16_000


class JobLog:
    """Lines of a job: a text, printf-style arguments if any, and named fields."""

    __slots__ = ("_job", "_runtime")

    def __init__(self, job: JobView, runtime: Runtime) -> None:
        self._job = job
        self._runtime = runtime

    def debug(self, message: object, *args: object, **fields: Any) -> None:
        """Keep a line that only helps to find errors."""
        self._write("debug", message, args, fields)

    def info(self, message: object, *args: object, **fields: Any) -> None:
        """Keep a line about what goes on."""
        self._write("info", message, args, fields)

    def warning(self, message: object, *args: object, **fields: Any) -> None:
        """Keep a line about what should be looked at."""
        self._write("warning", message, args, fields)

    def error(self, message: object, *args: object, **fields: Any) -> None:
        """Keep a line about what went wrong."""
        self._write("error", message, args, fields)

    def exception(self, message: object, *args: object, **fields: Any) -> None:
        """The same, with the traceback of the exception being handled."""
        self._write("error", f"{message}\n{traceback.format_exc()}", args, fields)

    def _write(
        self, level: str, message: object, args: tuple[object, ...], fields: dict[str, Any]
    ) -> None:
        text = str(message)
        if args:
            try:
                text %= args
            except (TypeError, ValueError):
                text = " ".join([text, *map(str, args)])
        self._runtime.log(self._job, level, text, encode_fields(fields) if fields else None)


def encode_fields(fields: dict[str, Any]) -> bytes:
    """The fields as a JSON object; what is not JSON as its text, too large ones cut."""
    data = _encode(fields)
    if len(data) <= FIELDS_BYTES:
        return data
    share = max(FIELDS_BYTES // (2 * len(fields)), 40)
    return _encode({name[:100]: _text(value)[:share] for name, value in [*fields.items()][:100]})


def _encode(fields: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(fields, enc_hook=_plain)
    except Exception:  # a log line must not fail the job
        texts = {name: _text(value) for name, value in fields.items()}
        return msgspec.json.encode(texts)


def _plain(value: Any) -> Any:
    try:
        return jsonable.plain(value)
    except TypeError:
        return _text(value)


def _text(value: object) -> str:
    try:
        return str(value).encode(errors="replace").decode()
    except Exception:
        return f"<{type(value).__name__}>"
