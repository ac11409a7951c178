"""What went wrong in user code, told safely: whatever an exception does, the worker goes on."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from jobdeck.domain.records import JobError
from jobdeck.sdk.control import Fail
from jobdeck.sdk.hints import find_hint
from jobdeck.sdk.settings import Hints

MESSAGE_CHARS = 8_000
TRACEBACK_CHARS = 64_000
_PACKAGE = str(Path(__file__).parents[1]) + "/"
_CUT = "\n… (cut) …\n"


def describe(error: BaseException, step: str, hints: Hints) -> JobError:
    """The error as a record, with a hint and the frames of user code."""
    kind = type_text(error)
    message = text(error)
    hint = link = ""
    if isinstance(error, Fail):
        hint, link = error.hint, error.link
    if not hint:
        try:
            found = find_hint(error, f"{kind}: {message}", hints)
        except Exception:  # a class may forbid even isinstance
            found = ("", "")
        hint, link = found[0], link or found[1]
    return JobError(
        type=kind,
        message=message,
        step=step,
        traceback=trace(error),
        hint=clean(str(hint)),
        link=clean(str(link)),
    )


def type_text(error: BaseException) -> str:
    """The name of its class, with the module unless that is builtins or jobdeck's."""
    kind = type(error)
    module = str(getattr(kind, "__module__", ""))
    if module == "builtins" or module.startswith("jobdeck."):
        return clean(kind.__qualname__)
    return clean(f"{module}.{kind.__qualname__}")


def text(error: BaseException) -> str:
    """Its text, bounded; a placeholder if it has none that can be had."""
    if isinstance(error, SystemExit):
        return f"the code called sys.exit({error.code!r}); return or raise an error instead"
    if isinstance(error, KeyboardInterrupt):
        return "the code raised KeyboardInterrupt"
    try:
        message = str(error)
        return clean(message[:MESSAGE_CHARS])
    except BaseException:
        return clean(f"<a {type(error).__qualname__} without a readable text>")


def clean(message: str) -> str:
    """The same without what UTF-8 or PostgreSQL cannot carry."""
    return message.encode("utf-8", errors="replace").decode().replace("\x00", "�")


def trace(error: BaseException) -> str:
    """The traceback with causes, only frames of user code, at most 64 kB."""
    try:
        told = traceback.TracebackException.from_exception(error, compact=True)
        _trim(told, set())
        lines = clean("".join(told.format()))
    except BaseException:  # memory may be short, or a class hostile
        return _bare(error.__traceback__)
    if len(lines) <= TRACEBACK_CHARS:
        return lines
    half = (TRACEBACK_CHARS - len(_CUT)) // 2
    return lines[:half] + _CUT + lines[-half:]


def _trim(told: Any, seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    frames = [frame for frame in told.stack if not frame.filename.startswith(_PACKAGE)]
    if frames:
        told.stack[:] = frames
    _trim(told.__cause__, seen)
    _trim(told.__context__, seen)
    for inner in getattr(told, "exceptions", None) or ():
        _trim(inner, seen)


def _bare(found: TracebackType | None) -> str:
    lines = ["Traceback, as far as it can be told:\n"]
    while found is not None and len(lines) < 100:
        code = found.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {found.tb_lineno}, in {code.co_name}\n')
        found = found.tb_next
    return "".join(lines)


def retry_after_s(error: BaseException, now: float) -> float | None:
    """What an HTTP answer among the causes of the error asks to wait, in seconds."""
    httpx = sys.modules.get("httpx")
    if httpx is None:
        return None
    from jobdeck.sdk.http import retry_after_s as asked

    found: BaseException | None = error
    for _ in range(10):
        if found is None:
            return None
        if isinstance(found, httpx.HTTPStatusError):
            return asked(found.response, now)
        found = found.__cause__ or found.__context__
    return None
