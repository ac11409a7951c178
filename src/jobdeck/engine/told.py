"""What a pool is told by signals: to end, or to load the code again."""

import selectors
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class Told:
    """SIGTERM and SIGINT tell it to end, SIGHUP to replace its workers by new ones. Whoever has
    done the latter sets `recycle` back."""

    def __init__(self) -> None:
        self.end = False
        self.recycle = False

    @contextmanager
    def by_signals(self, selector: selectors.BaseSelector) -> Iterator[None]:
        """Take signals meanwhile; each wakes the selector."""
        wake, wakened = socket.socketpair()
        for end in (wake, wakened):
            end.setblocking(False)
        previous = signal.set_wakeup_fd(wakened.fileno())
        handlers = [
            (number, signal.signal(number, handler))
            for number, handler in (
                (signal.SIGTERM, self._on_end),
                (signal.SIGINT, self._on_end),
                (signal.SIGHUP, self._on_recycle),
            )
        ]
        selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(64))
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in handlers:
                signal.signal(number, handler)
            selector.unregister(wake)
            wake.close()
            wakened.close()

    def _on_end(self, *_: object) -> None:
        self.end = True

    def _on_recycle(self, *_: object) -> None:
        self.recycle = True
