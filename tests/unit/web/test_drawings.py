"""Drawings are shared, and come at a bounded rate."""

from __future__ import annotations

import asyncio

from jobdeck.web import drawings
from jobdeck.web.drawings import Drawings


class Painter:
    """Counts what it draws."""

    def __init__(self) -> None:
        self.count = 0

    async def draw(self) -> int:
        """The next number."""
        self.count += 1
        await asyncio.sleep(0)
        return self.count


def test_many_who_look_at_the_same_share_a_drawing() -> None:
    async def look() -> list[int]:
        known, painter = Drawings(), Painter()
        return await asyncio.gather(*(known.get("page", (1, 0), painter.draw) for _ in range(50)))

    assert asyncio.run(look()) == [1] * 50


def test_a_flood_of_changes_is_drawn_at_a_bounded_rate() -> None:
    async def flood() -> tuple[int, float, list[int]]:
        known, painter = Drawings(), Painter()
        began = asyncio.get_running_loop().time()
        seen: list[int] = []
        for change in range(1, 201):
            found = await asyncio.gather(
                *(known.get("page", (change, 0), painter.draw) for _ in "ab")
            )
            assert found[0] == found[1]
            seen.append(found[0])
            if asyncio.get_running_loop().time() - began > 3 * drawings.INTERVAL_S:
                break
        return painter.count, asyncio.get_running_loop().time() - began, seen

    count, took, seen = asyncio.run(flood())
    assert seen == sorted(seen)
    assert count <= took / drawings.INTERVAL_S + 2


def test_others_do_not_wait_for_it() -> None:
    async def look() -> list[int]:
        known, painter = Drawings(), Painter()
        return [await known.get(key, (1, 0), painter.draw) for key in ("page", "other", "third")]

    assert asyncio.run(asyncio.wait_for(look(), 5)) == [1, 2, 3]


def test_a_change_that_came_late_is_drawn() -> None:
    """Its number is smaller than one that is drawn already."""

    async def look() -> list[int]:
        known, painter = Drawings(), Painter()
        return [await known.get("page", (9, late), painter.draw) for late in (0, 0, 1)]

    assert asyncio.run(asyncio.wait_for(look(), 5)) == [1, 1, 2]
