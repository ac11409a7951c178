"""What a worker has to tell its pool: gathered for a moment, then sent in order."""

import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable

from msgspec import Struct

from jobdeck.worker.protocol import Outcome, Outcomes, frame

OUTCOMES_S = 0.001
"""How long the outcome of a job may wait for others."""

RESULTS_BYTES = 1_000_000
"""Results that are sent without waiting for more."""


class Alarm:
    """Calls `action` in a thread of its own at the time that was set; sleeps otherwise."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.at = 0.0
        self._action = action
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jobdeck-alarm", daemon=True)
        self._thread.start()

    def set(self, seconds: float) -> None:
        """Call it so many seconds from now, unless it will be called sooner anyway."""
        at = time.monotonic() + seconds
        if self.at and self.at <= at:
            return
        with self._changed:
            self.at = at
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self.at or (left := self.at - time.monotonic()) > 0:
                    self._changed.wait(left if self.at else None)
                self.at = 0.0
            try:
                self._action()
            except Exception:  # the next one may succeed
                traceback.print_exc(file=sys.__stderr__)


class Outbox:
    """Frames in order, and outcomes, which go after the frames that were there before them.

    Any thread may put; the socket has one writer at a time. `lost` is called when the pool no
    longer listens.
    """

    def __init__(self, connection: socket.socket, lost: Callable[[], None]) -> None:
        self.outcomes: list[Outcome] = []
        self._frames: list[bytes] = []
        self._connection = connection
        self._lost = lost
        self._sending = threading.Lock()
        self._results = 0
        self._oldest = 0

    def put(self, message: Struct) -> None:
        """Send the message with the next flush."""
        self._frames.append(frame(message))

    def end(self, outcome: Outcome) -> None:
        """Send the outcome before long; at once if others wait, or much has gathered."""
        at = outcome.finished_at
        if not self.outcomes:
            self._oldest, self._results = at, 0
        self.outcomes.append(outcome)
        if outcome.result is not None:
            self._results += len(outcome.result)
        if not 0 <= at - self._oldest <= OUTCOMES_S * 1e6 or self._results > RESULTS_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send all there is; blocks while the pool does not read."""
        with self._sending:
            # Outcomes first: what a job said before it ended is then among the frames.
            ended = self.outcomes[:]
            del self.outcomes[: len(ended)]
            frames = self._frames[:]
            del self._frames[: len(frames)]
            if ended:
                frames.append(frame(Outcomes(ended)))
            if not frames:
                return
            try:
                self._connection.sendall(b"".join(frames))
            except OSError:
                self._lost()
