"""What live pages look like now, drawn once for all browsers that look at the same."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NamedTuple

from msgspec import Struct

INTERVAL_S = 0.25
"""A page changes at most four times a second; more nobody can read."""


class Frame(Struct, frozen=True):
    """How the live regions of a page look now. `tail` is what to append to a growing list, and
    `position` where that list ends then. `ticks`: it changes with time alone."""

    regions: dict[str, str]
    tail: str = ""
    position: int = 0
    ticks: bool = False


class _Drawing(NamedTuple):
    change: int
    began: float
    task: "asyncio.Task[Frame]"


class Drawings:
    """Lets browsers that look at the same thing share one drawing of it."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Drawing] = {}

    async def get(
        self, key: Hashable, change: int, draw: Callable[[], Coroutine[Any, Any, Frame]]
    ) -> Frame:
        """A frame drawn after change number `change`."""
        now = time.monotonic()
        known = self._known.get(key)
        if known is None or known.change < change or now - known.began > INTERVAL_S:
            self._known = {k: d for k, d in self._known.items() if now - d.began < 2}
            known = _Drawing(change, now, asyncio.create_task(draw()))
            self._known[key] = known
        return await asyncio.shield(known.task)
