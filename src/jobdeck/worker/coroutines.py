"""The loop on which coroutine jobs run: one for the life of the worker, in its main thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Coroutines:
    """The loop is made when the first coroutine job comes: many workers never need it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._check: Callable[[], None] | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], stopped: Callable[[], bool]) -> Any:
        """Run it to its end and give its result. It is cancelled once `stopped`, which is asked
        at the start and after each `wake`.

        Raises:
            BaseException: what it raised; `CancelledError` if it was cancelled.
        """
        import asyncio

        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        task = loop.create_task(coroutine)

        def check() -> None:
            if stopped() and not task.done():
                task.cancel()

        self._check = check
        check()
        try:
            return loop.run_until_complete(task)
        finally:
            self._check = None
            if not task.done():
                task.cancel()

    def wake(self) -> None:
        """Let the running coroutine notice that it is to stop; from any thread."""
        loop, check = self._loop, self._check
        if loop is None or check is None:
            return
        # User code may have closed the loop.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(check)
