"""What a failed test tells beside its error: what its processes have said, what its pages show."""

from __future__ import annotations

from collections.abc import Callable

HEAD, TAIL = 2000, 4000

_sources: dict[int, tuple[str, Callable[[], str]]] = {}


def offer(owner: object, title: str, tell: Callable[[], str]) -> None:
    """Have that told if a test fails, until it is withdrawn."""
    _sources[id(owner)] = (title, tell)


def withdraw(owner: object) -> None:
    """Its owner is gone, or tells it no longer."""
    _sources.pop(id(owner), None)


def gather() -> list[tuple[str, str]]:
    """All that is offered now: titles and texts, shortened in the middle."""
    found = []
    for title, tell in list(_sources.values()):
        try:
            text = tell()
            if len(text) > HEAD + TAIL:
                text = f"{text[:HEAD]}\n[...]\n{text[-TAIL:]}"
            found.append((title, text))
        except Exception as error:  # it must not hide why the test failed
            found.append((title, f"cannot be told: {error}"))
    return found
