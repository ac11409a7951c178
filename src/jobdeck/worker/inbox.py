"""What the pool says to its worker, heard by a thread of its own while jobs run."""

import itertools
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from jobdeck.domain.errors import Duplicate, JobdeckError
from jobdeck.worker.outbox import Alarm, Outbox
from jobdeck.worker.protocol import (
    Call,
    Exit,
    FrameBuffer,
    JobSpec,
    Recall,
    Recalled,
    Reply,
    Run,
    Stop,
    decode_to_worker,
)

Key = tuple[int, int]
"""A job's number and claim."""

_CHUNK = 1 << 18
_MOST_STOPS = 1000


class Inbox:
    """Batches to run, stops, recalls and replies.

    Who takes a job out of `waiting` owns it: the main thread runs it, or the receiver gives
    it back; never both.
    """

    def __init__(
        self, connection: socket.socket, outbox: Outbox, alarm: Alarm, gone: Callable[[], None]
    ) -> None:
        self.batches: SimpleQueue[list[JobSpec] | None] = SimpleQueue()
        self.waiting: dict[Key, JobSpec] = {}
        self.stops: dict[Key, str] = {}
        self.leaving = False
        self.stirred: Callable[[], None] = lambda: None
        self.stop_asked: Callable[[Key], None] = lambda _key: None
        self._stopping = threading.Condition()
        self._connection = connection
        self._outbox = outbox
        self._alarm = alarm
        self._gone = gone
        self._replies: dict[int, SimpleQueue[Reply]] = {}
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name="jobdeck-inbox", daemon=True).start()

    def _listen(self) -> None:
        buffer = FrameBuffer()
        try:
            while data := self._connection.recv(_CHUNK):
                for body in buffer.feed(data):
                    self._take(decode_to_worker(body))
        except (OSError, ValueError, msgspec.MsgspecError):
            pass  # a pool that is gone, or that cannot be understood, is the same
        finally:
            self._gone()

    def _take(self, message: Run | Stop | Recall | Reply | Exit) -> None:
        match message:
            case Run():
                for spec in message.jobs:
                    self.waiting[spec.job, spec.claim] = spec
                self.batches.put(message.jobs)
                self.stirred()
            case Stop():
                self._stop((message.job, message.claim), message.why)
            case Recall():
                self._recall([(job, claim) for job, claim in message.claims])
            case Reply():
                slot = self._replies.get(message.seq)
                if slot is not None:
                    slot.put(message)
            case Exit():
                self.leave()

    def _stop(self, key: Key, why: str) -> None:
        while len(self.stops) >= _MOST_STOPS:
            # Those of jobs that had ended already.
            self.stops.pop(next(iter(self.stops)))
        self.stops[key] = why
        with self._stopping:
            self._stopping.notify_all()
        self.stop_asked(key)

    def _recall(self, keys: list[Key]) -> None:
        free = [key for key in keys if self.waiting.pop(key, None) is not None]
        if free:
            self._outbox.put(Recalled(free))
            self._alarm.set(0)
            self.stirred()

    def leave(self) -> None:
        """Begin no further job; safe in a signal handler."""
        self.leaving = True
        self.batches.put(None)
        self.stirred()

    def wait_for_stop(self, key: Key, seconds: float) -> None:
        """Sleep so long, or until that job is asked to stop."""
        with self._stopping:
            self._stopping.wait_for(lambda: key in self.stops, seconds)

    def call(self, key: Key, kind: str, body: dict[str, Any]) -> Any:
        """Ask the pool and wait for its answer.

        Raises:
            JobdeckError: it refused; says why.
        """
        seq = next(self._numbers)
        slot: SimpleQueue[Reply] = SimpleQueue()
        self._replies[seq] = slot
        try:
            self._outbox.put(Call(*key, seq, kind, body))
            self._outbox.flush()
            reply = slot.get()
        finally:
            del self._replies[seq]
        if reply.duplicate is not None:
            raise Duplicate(reply.error, reply.duplicate or None)
        if reply.error:
            raise JobdeckError(reply.error)
        return reply.value
