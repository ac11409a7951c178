"""The pipelines that this process has defined, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobdeck.domain.errors import Duplicate

if TYPE_CHECKING:
    from jobdeck.sdk.pipeline import Pipeline

_pipelines: dict[str, Pipeline] = {}


def add(pipeline: Pipeline) -> None:
    """Enter a new one.

    Raises:
        Duplicate: another place defines one of that name; names both.
    """
    old = _pipelines.get(pipeline.name)
    if old is not None and not _redefines(old, pipeline):
        raise Duplicate(
            f"Two pipelines are called {pipeline.name!r}: one in {old.file}, line {old.line}, "
            f"one in {pipeline.file}, line {pipeline.line}. Give one of them another name."
        )
    _pipelines[pipeline.name] = pipeline


def _redefines(old: Pipeline, new: Pipeline) -> bool:
    # A file that is run and imported too, and a cell of a notebook that is run again.
    same_place = (old.file, old.line) == (new.file, new.line)
    return same_place or new.file.startswith("<") or "ipykernel" in new.file


def find(name: str) -> Pipeline | None:
    """The one of that name, or None."""
    return _pipelines.get(name)


def every() -> dict[str, Pipeline]:
    """All of them by name, in the order of their definition."""
    return dict(_pipelines)


@contextmanager
def isolated() -> Iterator[None]:
    """Start with none, and forget what the block defines."""
    before = dict(_pipelines)
    _pipelines.clear()
    try:
        yield
    finally:
        _pipelines.clear()
        _pipelines.update(before)
