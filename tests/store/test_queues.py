"""Queues tell what waits in them, and are paused by one at a time."""

from __future__ import annotations

import pytest

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Queue
from jobdeck.domain.states import Code
from jobdeck.store import flows, pipelines, queues
from jobdeck.store.claims import READY, Begun, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from tests.store.world import START, manifest


def test_a_queue_is_created_once(store: Store) -> None:
    with store.write() as conn:
        number = queues.ensure(conn, "mail")
        assert queues.ensure(conn, "mail") == number
        queues.ensure(conn, "SCHEDULER", builtin=True)
        assert queues.ids(conn)["mail"] == number
        assert [(q.name, q.builtin) for q in queues.all(conn, START)] == [
            ("SCHEDULER", True),
            ("mail", False),
        ]


def test_pausing_holds_until_it_is_resumed(store: Store) -> None:
    with store.write() as conn:
        queues.ensure(conn, "mail")
        assert queues.pause(conn, "mail", by="ann", reason="flood", now=START)
        assert not queues.pause(conn, "mail", by="bob", reason="", now=START + 1)
        queue = queues.get(conn, "mail", START)
        assert (queue.paused_at, queue.paused_by, queue.paused_reason) == (START, "ann", "flood")
        assert queues.paused(conn) == {queue.id}
        assert queues.resume(conn, "mail")
        assert not queues.resume(conn, "mail")
        assert queues.get(conn, "mail", START).paused_at is None
        for change in (queues.resume, lambda c, n: queues.pause(c, n, by="", reason="", now=1)):
            with pytest.raises(NotFound, match="Did you mean 'mail'"):
                change(conn, "male")


def _queue(store: Store, after_s: float) -> Queue:
    with store.read() as conn:
        return queues.get(conn, "default", START + round(after_s * SECOND))


def test_latency_is_how_long_the_next_one_has_waited(store: Store) -> None:
    with store.write() as conn:
        pipelines.register(conn, manifest("mail"), START, publish=True)
        other = flows.create(conn, name="news", pipeline="mail", now=START).id
    assert _queue(store, 5).latency_s == 0
    lanes = [(1, 1), (1, other)]

    def put(flow: int, at_s: float, priority: int = 0, run_at: int | None = None) -> None:
        new = NewJob(flow_id=flow, queue_id=1, priority=priority, run_at=run_at)
        with store.write() as conn:
            enqueue(conn, [new], START + round(at_s * SECOND))

    put(1, 1)
    put(other, 2)
    put(other, 3, priority=5)
    put(1, 3, run_at=START + 10**15)
    queue = _queue(store, 10)
    assert (queue.pending, queue.scheduled, queue.latency_s) == (3, 1, 7)
    with store.write() as conn:
        [urgent] = claim(conn, lanes, 1, 1, START)
        begin(conn, [Begun(urgent.job_id, urgent.claim, 1, START, 1, other)])
    queue = _queue(store, 10)
    assert (queue.pending, queue.running, queue.latency_s) == (2, 1, 9)
    lost = Ending(
        **{name: getattr(urgent, name) for name in READY},
        code=Code.PENDING,
        shown=True,
        began=True,
        finished_at=START + 8 * SECOND,
        started_at=START,
    )
    with store.write() as conn:
        finish(conn, [lost])
    assert _queue(store, 10).latency_s == 2
    with store.write() as conn:
        assert len(claim(conn, lanes, 3, 1, START)) == 3
    queue = _queue(store, 10)
    assert (queue.pending, queue.latency_s) == (3, 9), "handed out, but none has begun"
