"""Finding things by the names that people give them."""

import difflib
from collections.abc import Iterable

from jobdeck.domain.errors import NotFound


def missing(kind: str, name: str, known: Iterable[str]) -> NotFound:
    """The error for a name that there is none of, with the nearest one that there is."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return NotFound(kind, name, f"Did you mean {near[0]!r}?")
    if known and len(known) <= 8:
        return NotFound(kind, name, f"There are: {', '.join(sorted(known))}.")
    return NotFound(kind, name)
