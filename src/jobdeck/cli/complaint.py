"""What is said of an error, in one line."""

import contextlib
import re
import sys

_FRAME = re.compile(r'^\s*File "(?P<file>[^"<]+)", line (?P<line>\d+)', re.MULTILINE)


def explain(error: Exception) -> str:
    """The error's own text; where user code failed to load, also the place of it."""
    text = " ".join(str(error).split())
    frames = _FRAME.findall(getattr(error, "detail", "") or "")
    if not frames:
        return text
    file, line = frames[-1]
    place = f"{file}, line {line}"
    return text if place in text else f"{text.rstrip('.')} ({place})."


def complain(error: Exception | str) -> None:
    """Say it on standard error."""
    text = error if isinstance(error, str) else explain(error)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"jobdeck: {text}\n")
        sys.stderr.flush()
