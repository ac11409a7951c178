from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from jobdeck.worker.outbox import Alarm, Outbox
from jobdeck.worker.protocol import (
    CheckIn,
    FrameBuffer,
    Outcome,
    Outcomes,
    Recalled,
    ToPool,
    decode_to_pool,
)


class Wire:
    """An outbox and what arrives at its other end."""

    def __init__(self) -> None:
        self.mine, theirs = socket.socketpair()
        self.lost = threading.Event()
        self.theirs = theirs
        self.outbox = Outbox(theirs, self.lost.set)
        self._buffer = FrameBuffer()

    def arrived(self) -> list[ToPool]:
        self.mine.setblocking(False)
        try:
            data = self.mine.recv(1 << 20)
        except BlockingIOError:
            return []
        return [decode_to_pool(body) for body in self._buffer.feed(data)]

    def close(self) -> None:
        self.mine.close()
        self.theirs.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def outcome(job: int, at: int, result: bytes | None = None) -> Outcome:
    return Outcome(job, job, "completed", at, at, result)


def test_what_was_put_goes_out_in_order_and_before_the_outcomes(wire: Wire) -> None:
    wire.outbox.end(outcome(1, 0))
    wire.outbox.put(Recalled([(5, 5)]))
    wire.outbox.put(CheckIn(2, 2, 0, 1, None, ""))
    assert wire.arrived() == []

    wire.outbox.flush()

    assert [type(message) for message in wire.arrived()] == [Recalled, CheckIn, Outcomes]
    wire.outbox.flush()
    assert wire.arrived() == []


def test_outcomes_gather_for_a_millisecond(wire: Wire) -> None:
    for job in range(5):
        wire.outbox.end(outcome(job, at=1000 + job * 100))
    assert wire.arrived() == []

    wire.outbox.end(outcome(5, at=2500))

    (message,) = wire.arrived()
    assert isinstance(message, Outcomes)
    assert [item.job for item in message.items] == list(range(6))


def test_large_results_do_not_gather(wire: Wire) -> None:
    wire.mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    reader: list[int] = []

    def read() -> None:
        while data := wire.mine.recv(1 << 20):
            reader.append(len(data))

    thread = threading.Thread(target=read)
    thread.start()
    wire.outbox.end(outcome(1, 0, b"x" * 1_000_001))
    wire.theirs.shutdown(socket.SHUT_WR)
    thread.join()

    assert sum(reader) > 1_000_000


def test_a_pool_that_is_gone_is_noticed(wire: Wire) -> None:
    wire.mine.close()
    wire.outbox.put(Recalled([]))

    wire.outbox.flush()

    assert wire.lost.is_set()


def test_an_alarm_goes_off_once_at_the_earliest_time_set() -> None:
    rung: list[float] = []
    heard = threading.Event()

    def ring() -> None:
        rung.append(time.monotonic())
        heard.set()

    alarm = Alarm(ring)
    alarm.set(600)
    alarm.set(0.01)
    alarm.set(300)

    assert heard.wait(10)
    assert alarm.at == 0
    assert len(rung) == 1
    heard.clear()
    alarm.set(0)
    assert heard.wait(10)


def test_an_alarm_outlives_an_action_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    heard = threading.Event()
    failures = [ValueError("once")]

    def act() -> None:
        if failures:
            raise failures.pop()
        heard.set()

    alarm = Alarm(act)
    alarm.set(0)
    while alarm.at:
        time.sleep(0.001)

    alarm.set(0)

    assert heard.wait(10)
