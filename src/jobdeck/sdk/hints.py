"""What to do about an error: the author's own hints first, then common ones."""

from __future__ import annotations

import re

from jobdeck.sdk.settings import Hints

_COMMON: list[tuple[str, str]] = [
    (r"429|[Tt]oo [Mm]any [Rr]equests",
     "The service limits how often it may be called: raise backoff, or limit the queue's rate."),
    (r"\b401\b|Unauthorized",
     "The service does not know who asks: check the credentials in the job's context."),
    (r"\b403\b|Forbidden",
     "The credentials are known but not allowed to do this: check their rights."),
    (r"getaddrinfo|(not known|nor servname provided|failure in name resolution)",
     "A host name cannot be resolved: check its spelling and the network of this machine."),
    (r"ConnectionRefused|[Cc]onnection refused",
     "Nothing listens at that address: check host and port, and that the service runs."),
    (r"ConnectTimeout|ReadTimeout|timed out|TimeoutError",
     "The other side is slow or out of reach: raise the timeout, or add retries."),
    (r"CERTIFICATE_VERIFY_FAILED",
     "The certificate of the other side is not trusted here: install its authority."),
    (r"^(ModuleNotFoundError|ImportError)",
     "A package is missing in the worker's environment: install it there, restart the pool."),
    (r"^FileNotFoundError",
     "A path does not exist in the worker; use ctx.files for files that steps share."),
    (r"^PermissionError", "The worker's user may not do this: check owner and mode of the path."),
    (r"No space left on device", "The disk of the worker is full: free some space, then retry."),
    (r"database is locked", "Another process writes to that SQLite file: retry with a backoff."),
    (r"^MemoryError", "The job needs more memory than there is: use smaller chunks."),
    (r"^RecursionError", "A function calls itself without end: look at the repeated lines."),
    (r"^KeyError|^IndexError",
     "The input lacks something that the code relies on: look at the row in question."),
]  # fmt: skip
COMMON = frozenset(text for _, text in _COMMON)
"""What is said where nobody knows better."""

_COMPILED = [(re.compile(pattern), text) for pattern, text in _COMMON]


def find_hint(error: BaseException, summary: str, hints: Hints) -> tuple[str, str]:
    """What to do and a link, each perhaps empty. `summary` is "Type: message"."""
    for key, hint in hints.items():
        if _fits(key, error, summary):
            text, link = (hint, "") if isinstance(hint, str) else (*hint, "", "")[:2]
            return text, link
    for pattern, text in _COMPILED:
        if pattern.search(summary):
            return text, ""
    return "", ""


def _fits(key: object, error: BaseException, summary: str) -> bool:
    if isinstance(key, type):
        return isinstance(error, key)
    return re.search(key, summary) is not None  # type: ignore[call-overload]
