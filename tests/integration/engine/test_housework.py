"""Jobdeck's own work in real maintenance processes that die."""

from __future__ import annotations

from jobdeck.actions import bulk
from jobdeck.domain import clock
from jobdeck.domain.bulk import Order
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Reason, Status
from jobdeck.store import counters, pools, stops
from tests.integration.engine.harness import Deck, killed, wait_for
from tests.integration.hands import ANA

# The job gets no further than its first part.
HELD = """
import contextlib, threading
from jobdeck.engine.chore import Chore

transaction = Chore.transaction

@contextlib.contextmanager
def part(chore):
    with transaction(chore) as conn:
        yield conn
    if chore.done:
        threading.Event().wait()

Chore.transaction = part
"""


def test_a_bulk_job_survives_its_process(deck: Deck) -> None:
    deck.define("@job\ndef mail(ctx: Context): pass")
    jobs = deck.enqueue("mail", 3000)
    with deck.store.write() as conn:
        stops.stop_waiting(conn, jobs, reason=Reason.STOPPED, message="", now=clock.now())
    order = Order(action="retry")
    job = bulk.start(deck.store, ANA, "again", order, wanted=JobFilter(flow="mail"))
    first = deck.start_maintenance(HELD)
    wait_for("progress", lambda: (p := deck.job(job.id).progress) and p.done)
    with killed(first):
        pass
    deck.start_maintenance()
    done = deck.wait(job.id)
    assert (done.status, done.result) == (
        *("completed", {"action": "retry", "done": 3000, "skipped": {}}),
    )
    assert deck.attempts(job.id)[0] == (1, Status.PENDING, Reason.WORKER_LOST)
    with deck.store.read() as conn:
        totals = counters.totals(conn)
        assert pools.all(conn) == []
        assert [pool.queues for pool in pools.all(conn, builtin=True)] == [
            ["BULK", "EXPORT", "CLEANUP"]
        ]
    assert (totals[Status.PENDING], totals[Status.STOPPED]) == (3000, 0)
