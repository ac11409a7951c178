"""What live pages look like now, drawn once for all browsers that look at the same."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

INTERVAL_S = 0.25
"""A page changes at most four times a second; more nobody can read."""

KEPT_S = 2.0

TICK_S = 1.0
"""How often what counts seconds is drawn again."""

T = TypeVar("T")


class Frame(Struct, frozen=True):
    """How the live regions of a page look now. `tail` is what a growing list gets, at its end or,
    where the newest stands first, its beginning; `position` is how far the list goes
    then. `ticks_s`: it changes with time alone, and is to be drawn again after so many seconds."""

    regions: dict[str, str]
    tail: str = ""
    position: int = 0
    ticks_s: float | None = None
    newest_first: bool = False


Newest = tuple[int, int]
"""The largest number of a change, and how many came after a larger one."""


class _Drawing(NamedTuple):
    change: Newest
    begins_at: float
    task: "asyncio.Task[Any]"


class Drawings:
    """Lets browsers that look at the same thing share one drawing of it, and draws that at most
    every INTERVAL_S, however many they are and however much changes."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Drawing] = {}

    async def get(
        self, key: Hashable, change: Newest, draw: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """What `draw` gives, begun after what `change` tells of."""
        now = time.monotonic()
        known = self._known.get(key)
        if known is None or not self._holds(known, change, now):
            begins_at = now if known is None else max(now, known.begins_at + INTERVAL_S)
            self._known = {k: d for k, d in self._known.items() if now - d.begins_at < KEPT_S}
            known = _Drawing(change, begins_at, asyncio.create_task(_at(begins_at, draw)))
            self._known[key] = known
        found: T = await asyncio.shield(known.task)
        return found

    def _holds(self, known: _Drawing, change: Newest, now: float) -> bool:
        if known.begins_at > now:
            return True  # it will show that change, too
        return known.change >= change and now - known.begins_at <= INTERVAL_S


async def _at(begins_at: float, draw: Callable[[], Coroutine[Any, Any, T]]) -> T:
    wait = begins_at - time.monotonic()
    if wait > 0:
        await asyncio.sleep(wait)
    return await draw()
