"""Going through items in chunks: counted, committed, and taken up again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from jobdeck.domain.errors import InvalidValue, JobdeckError
from jobdeck.sdk.control import Fail, NoItems, Retry, Skip
from jobdeck.sdk.settings import is_whole

if TYPE_CHECKING:
    from jobdeck.sdk.context import Context
    from jobdeck.sdk.step_run import StepRun

T = TypeVar("T")
Source = Iterable[Any] | Callable[[], Iterable[Any]]
OnError = Literal["raise", "skip"]


class Loop:
    """One `ctx.chunks` of a step: how many items of its source are committed."""

    __slots__ = ("alive", "consumed", "open", "skipped")

    def __init__(self, consumed: int) -> None:
        self.consumed = consumed
        self.skipped = 0
        self.open: OpenChunk | None = None
        self.alive = True


class OpenChunk:
    """A chunk that its body works on: what it counts for once it is committed."""

    __slots__ = ("filtered", "read", "skipped", "written")

    def __init__(self) -> None:
        self.read = self.written = self.filtered = self.skipped = 0


class Chunks(Generic[T]):
    """Lists of at most `size` items. Asking for the next one commits the one before."""

    def __init__(
        self,
        ctx: Context,
        run: StepRun,
        source: Source,
        size: int,
        each: Callable[[Any], T | None] | None,
        on_error: OnError,
        limit: int | None,
    ) -> None:
        _check(size, on_error, limit)
        self._ctx = ctx
        self._run = run
        self._loop = loop = run.new_loop()
        self._size = size
        self._each = each
        self._skips = on_error == "skip"
        self._limit = limit
        items = source() if callable(source) else source
        self._total = len(items) if isinstance(items, Sized) else None
        self._items: Iterator[Any] = iter(items)
        self._pass_over(loop.consumed)

    def _pass_over(self, count: int) -> None:
        passed = sum(1 for _ in islice(self._items, count))
        if passed < count:
            self._ctx.log.warning(
                "The source has %s items, but %s were committed before", passed, count
            )

    def __iter__(self) -> Iterator[list[T]]:
        return self

    def __next__(self) -> list[T]:
        loop = self._loop
        while True:
            if loop.open is not None:
                self._run.commit(loop)
                self._ctx.progress(loop.consumed, self._total)
            self._ctx.raise_if_stopped()
            items = list(islice(self._items, self._size))
            if not items:
                loop.alive = False
                raise StopIteration
            chunk = OpenChunk()
            kept = self._keep(items, chunk)
            loop.open = chunk
            if kept:
                return kept

    def __del__(self) -> None:
        # The body was left early: by break, return or an exception.
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.alive = False

    def _keep(self, items: list[Any], chunk: OpenChunk) -> list[T]:
        chunk.read = len(items)
        if self._each is None:
            chunk.written = len(items)
            return items
        kept: list[T] = []
        for index, item in enumerate(items):
            try:
                value = self._each(item)
            except (Fail, NoItems, Retry, Skip):
                raise
            except Exception as error:
                if not self._skips:
                    raise
                self._skip(error, self._loop.consumed + index, chunk)
                continue
            if value is None:
                chunk.filtered += 1
            else:
                kept.append(value)
        chunk.written = len(kept)
        return kept

    def _skip(self, error: Exception, index: int, chunk: OpenChunk) -> None:
        chunk.skipped += 1
        self._ctx.log.warning(f"Item {index} skipped: {type(error).__name__}: {_text(error)}")
        if self._limit is not None and self._loop.skipped + chunk.skipped > self._limit:
            raise JobdeckError(
                f"More than {self._limit} items had to be skipped; the last one was item {index}. "
                "Look into the lines above, then mend the source or raise the limit."
            ) from error


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # a user's class may do anything
        return "(its text cannot be had)"


def _check(size: int, on_error: str, limit: int | None) -> None:
    if not is_whole(size, 1, 10**9):
        raise InvalidValue("size", f"{size!r} is not a number of items from 1")
    if on_error not in {"raise", "skip"}:
        raise InvalidValue("on_error", f"{on_error!r} is neither 'raise' nor 'skip'")
    if limit is not None and limit < 0:
        raise InvalidValue("limit", f"{limit!r} is not a number of items from 0")
