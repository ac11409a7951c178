"""Limits hold across pools."""

import time

from sqlalchemy import update

from jobdeck.domain.states import Status
from jobdeck.store.tables import flows, queues
from tests.integration.engine.harness import Deck, wait_for

SPANS = """
    import pathlib, time

    def span(flag: str) -> list[float]:
        begin = time.monotonic()
        while not pathlib.Path(flag).exists():
            time.sleep(0.01)
        time.sleep(0.05)
        return [begin, time.monotonic()]

    @job(queue="narrow")
    def one(flag: str) -> list[float]:
        return span(flag)

    @job(queue="narrow")
    def two(flag: str) -> list[float]:
        return span(flag)
"""


def running(deck: Deck, ids: list[int]) -> int:
    """How many of them run."""
    return sum(deck.job(job_id).status == Status.RUNNING for job_id in ids)


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
    ids = deck.hold(6, "one") + deck.hold(6, "two")
    wait_for("two to run", lambda: running(deck, ids) == 2)
    deck.let_go()
    spans = [deck.wait(job_id).result for job_id in ids]
    assert most_at_once(spans) == 2


def test_a_sequential_flow_lets_the_second_run_wait_but_not_its_neighbours(deck: Deck) -> None:
    deck.define(SPANS)
    with deck.store.write() as conn:
        conn.execute(update(flows).where(flows.c.name == "one").values(max_running=1))
    for _ in range(2):
        deck.start_pool(workers=2)
    ones, twos = deck.hold(5, "one"), deck.hold(5, "two")
    wait_for("one of each", lambda: running(deck, ones) == 1 and running(deck, twos) > 0)
    deck.let_go()
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
    deck.let_go()
    # The pools run already: what they need to start must not hide that the rate is not held.
    deck.wait(deck.hold(1, "two")[0])
    enqueued_at = time.monotonic()
    ids = deck.hold(6, "one")
    begins = sorted(deck.wait(job_id).result[0] for job_id in ids)
    # Two at once, then one every 0.2 s; a start may be late but never early.
    for place, begin in enumerate(begins[2:], 1):
        assert begin - enqueued_at > 0.2 * place - 0.01
