"""Which failures are the same error: by type, place and message, without what differs each time.

The place is the innermost frame of user code. What is no exception, such as a timeout, has the
name of its flow for a place.
"""

import hashlib
import re
from typing import NamedTuple

from jobdeck.domain.records import JobError

READ_CHARS = 1_000
"""So much of a message is looked at, and what is kept of it is no longer."""

_NEAR_CHARS = 800
_FRAME = re.compile(r'^\s+File "([^"\n]+)", line \d+, in (.+)$', re.MULTILINE)
_LIBRARY = ("/site-packages/", "/dist-packages/", "/lib/python", "<frozen ")

# In this order: what comes first may contain what follows.
_CHANGING: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"\b[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]+", "<url>"),
        (r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+", "<mail>"),
        (r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`|\u201c[^\u201d]*\u201d", "<text>"),
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<id>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)?", "<time>"),
        (r"(?<![\w<])(?:[A-Za-z]:)?[\\/](?:[\w.@~+-]+[\\/])*[\w.@~+-]+", "<path>"),
        (r"\b0[xX][0-9a-fA-F]+\b", "<id>"),
        (r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b", "<id>"),
        (r"\d+(?:[.,\u202f]\d+)*", "<n>"),
    )
)  # fmt: skip


class Fingerprint(NamedTuple):
    """An error without what differs each time; `digest` tells it apart from others."""

    digest: str
    type: str
    place: str
    message: str


def fingerprint(reason: str, message: str, error: JobError | None, flow: str) -> Fingerprint:
    """What a failure has in common with its like. `reason` is the code of `Reason`, `flow` the
    name of the job's flow."""
    if error is not None:
        kind, text = error.type, error.message
        where = place(error.traceback) or (f"step {error.step}" if error.step else f"flow {flow}")
    else:
        kind, text, where = reason.replace("_", " ") or "error", message, f"flow {flow}"
    plain = normalise(text)
    told = "\n".join((kind, where, plain)).encode(errors="replace")
    return Fingerprint(hashlib.sha256(told).hexdigest()[:32], kind, where, plain)


def place(traceback: str) -> str:
    """The innermost frame of user code, such as `weather.py in extract`; empty: there is none.

    Without the line, which moves whenever something above it is edited.
    """
    # Mostly it is near the end, and the pool must be quick.
    frames, own = _frames(traceback[-_NEAR_CHARS:])
    if not own:
        frames, own = _frames(traceback)
    if not frames:
        return ""
    file, function = (own or frames)[-1]
    base = re.split(r"[\\/]", file)[-1]
    return f"{base} in {function.strip()}"[:200]


def _frames(traceback: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """All frames, and those of user code."""
    frames = _FRAME.findall(traceback)
    return frames, [frame for frame in frames if not any(part in frame[0] for part in _LIBRARY)]


def normalise(message: str) -> str:
    """The message with marks in the place of numbers, ids, times, quoted texts, paths, addresses;
    at most READ_CHARS characters of it."""
    text = " ".join(message[:READ_CHARS].split())
    for pattern, mark in _CHANGING:
        text = pattern.sub(mark, text)
    return text[:READ_CHARS]
