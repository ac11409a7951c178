"""Limits hold across pools."""

import time

from sqlalchemy import update

from jobdeck.store.tables import flows, queues
from tests.integration.engine.harness import Deck

SPANS = """
    import time

    @job(queue="narrow")
    def one(seconds: float) -> list[float]:
        begin = time.monotonic()
        time.sleep(seconds)
        return [begin, time.monotonic()]

    @job(queue="narrow")
    def two(seconds: float) -> list[float]:
        begin = time.monotonic()
        time.sleep(seconds)
        return [begin, time.monotonic()]
"""


def most_at_once(spans: list[list[float]]) -> int:
    marks = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in marks:
        now += step
        most = max(most, now)
    return most


def test_a_queue_runs_no_more_at_once_than_it_may(deck: Deck) -> None:
    deck.define(SPANS)
    with deck.store.write() as conn:
        conn.execute(update(queues).where(queues.c.name == "narrow").values(max_running=2))
    for _ in range(2):
        deck.start_pool(workers=2)
    ids = deck.enqueue("one", 6, seconds=0.05) + deck.enqueue("two", 6, seconds=0.05)
    spans = [deck.wait(job_id).result for job_id in ids]
    assert most_at_once(spans) == 2


def test_a_sequential_flow_lets_the_second_run_wait_but_not_its_neighbours(deck: Deck) -> None:
    deck.define(SPANS)
    with deck.store.write() as conn:
        conn.execute(update(flows).where(flows.c.name == "one").values(max_running=1))
    for _ in range(2):
        deck.start_pool(workers=2)
    ones = deck.enqueue("one", 5, seconds=0.1)
    twos = deck.enqueue("two", 5, seconds=0.1)
    one_spans = [deck.wait(job_id).result for job_id in ones]
    two_spans = [deck.wait(job_id).result for job_id in twos]
    assert most_at_once(one_spans) == 1
    assert most_at_once(one_spans + two_spans) > 1


def test_a_rate_spreads_the_starts(deck: Deck) -> None:
    deck.define(SPANS)
    with deck.store.write() as conn:
        conn.execute(
            update(flows).where(flows.c.name == "one").values(rate_count=2, rate_period_s=0.4)
        )
    for _ in range(2):
        deck.start_pool(workers=2)
    # The pools run already: what they need to start must not hide that the rate is not held.
    deck.wait(deck.enqueue("two", 1, seconds=0.001)[0])
    enqueued_at = time.monotonic()
    ids = deck.enqueue("one", 6, seconds=0.001)
    begins = sorted(deck.wait(job_id).result[0] for job_id in ids)
    # Two at once, then one every 0.2 s; a start may be late but never early.
    for place, begin in enumerate(begins[2:], 1):
        assert begin - enqueued_at > 0.2 * place - 0.01
