"""Fanning out over very many items takes no more memory than over few."""

import tracemalloc
from typing import Any

from jobdeck import job
from jobdeck.sdk.children import MAP_ITEMS, map_items
from jobdeck.sdk.pipeline import Pipeline

ITEMS = 50_000


class _Run:
    """The books of a step, as far as fanning out goes; portions are counted and let go."""

    job: Any = None
    mapped = 0
    reports = False

    def __init__(self) -> None:
        self.runtime = self
        self.portions: list[int] = []

    def call(self, job: Any, kind: str, body: dict[str, Any]) -> int:
        assert (kind, body["start"]) == ("map", sum(self.portions))
        self.portions.append(len(body["items"]))
        return len(body["items"])


def test_items_go_out_in_bounded_portions() -> None:
    @job
    def resize(path: str, width: int = 10) -> None: ...

    run: Any = _Run()
    target: Pipeline = resize
    map_items(run, "spread", target, ({"path": "x" * 100} for _ in range(10)))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    made = map_items(run, "more", target, ({"path": "x" * 100} for _ in range(ITEMS)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made == ITEMS
    assert max(run.portions) == MAP_ITEMS
    assert peak - before < 2_000_000
