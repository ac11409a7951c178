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
        loop = self.loop()
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

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; a new one if user code has closed it."""
        loop = self._loop
        if loop is None or loop.is_closed():
            import asyncio

            loop = self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        return loop

    def soon(self, action: Callable[..., None], *arguments: Any) -> None:
        """Call it on the loop the next time that this runs; from any thread."""
        if self._loop is not None:
            # User code may have closed the loop.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(action, *arguments)

    def wake(self) -> None:
        """Let the running coroutine notice that it is to stop; from any thread."""
        if self._check is not None:
            self.soon(self._check)
