"""Why a job is where it is, from real state."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.actions import flows, pipelines, queues
from jobdeck.actions import jobs as actions
from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import NotFound
from jobdeck.domain.facts import Facts
from jobdeck.domain.states import Code, Reason
from jobdeck.domain.why import Why, why
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import facts, pools
from jobdeck.store import pipelines as pipeline_reads
from jobdeck.store.database import Store
from jobdeck.store.outcomes import Ending, finish
from tests.integration.hands import ANA, Hands, define

PARAMS: dict[str, Any] = {"city": "Gouda"}


@pytest.fixture(autouse=True)
def _pipelines(store: Store) -> None:
    define(store, "weather", "other")


@pytest.fixture
def hands(store: Store) -> Hands:
    """A pool whose worker has loaded what is published."""
    hands = Hands(store)
    load(store, hands.pool)
    return hands


def load(store: Store, pool: int) -> None:
    with store.write() as conn:
        marks = {each.name: each.manifest.fingerprint for each in pipeline_reads.all(conn)}
        pools.set_loaded(conn, pool, marks)


def create(store: Store, flow: str = "weather", **more: Any) -> int:
    item = EnqueueItem(flow=flow, params=PARAMS, **more)
    return actions.create(store, ANA, "", item).id


def gather(store: Store, job: int, now: int | None = None) -> Facts:
    with store.read() as conn:
        return facts.gather(conn, job, now or clock.now())


def ask(store: Store, job: int, now: int | None = None) -> Why:
    return why(gather(store, job, now))


def test_a_job_that_is_not_there(store: Store) -> None:
    with store.read() as conn, pytest.raises(NotFound):
        facts.gather(conn, 404, 0)


def test_pending_step_by_step(store: Store) -> None:
    job = create(store)
    assert ask(store, job).code == "no_pool"
    hands = Hands(store)
    assert ask(store, job).code == "pool_starting"
    with store.write() as conn:
        pools.set_loaded(conn, hands.pool, {"other": "?"})
    assert ask(store, job).code == "not_loaded"
    with store.write() as conn:
        pools.set_loaded(conn, hands.pool, {"weather": "?"})
    assert ask(store, job).code == "other_version"
    load(store, hands.pool)
    assert ask(store, job).code == "about_to_start"
    pipelines.unpublish(store, ANA, "", "weather")
    assert ask(store, job).code == "not_published"
    pipelines.publish(store, ANA, "", "weather")
    queues.pause(store, ANA, "the API is down", "etl")
    answer = ask(store, job)
    assert answer.code == "queue_paused"
    assert "paused by ana" in answer.sentence
    assert "the API is down" in answer.sentence
    queues.resume(store, ANA, "", "etl")
    (taken,) = hands.take()
    assert ask(store, job).code == "handed_out"
    hands.begin(taken)
    assert ask(store, job).code == "running"
    later = clock.now() + 300 * SECOND
    assert ask(store, job, later).code == "pool_lost"
    actions.stop(store, ANA, "wrong city", job)
    answer = ask(store, job)
    assert (answer.code, "ana asked" in answer.sentence) == ("stopping", True)
    hands.end(taken, Code.STOPPED, Reason.STOPPED)
    answer = ask(store, job)
    assert answer.code == "stopped"
    assert "by ana: wrong city" in answer.sentence


def test_behind_others_with_an_estimate(store: Store, hands: Hands) -> None:
    # Each takes a second, as `Hands` says.
    for _ in range(3):
        create(store)
    hands.run()
    ids = [create(store) for _ in range(5)]
    for _ in range(2):
        create(store, "other")
    urgent = create(store, "other", priority=5)
    answer = ask(store, ids[-1])
    assert (answer.code, answer.details["ahead"]) == ("behind", 5)
    # Nothing is known of the other flow yet.
    assert answer.estimate_s is None
    actions.stop(store, ANA, "", urgent)
    answer = ask(store, ids[-1])
    assert answer.estimate_s == pytest.approx(4.0, abs=0.2)
    assert ask(store, ids[0]).code == "about_to_start"


def test_what_waits_in_a_paused_queue_goes_before_nobody(store: Store, hands: Hands) -> None:
    create(store)
    flows.edit(store, ANA, "", "other", {"queue": "aside"})
    queues.pause(store, ANA, "", "etl")
    assert ask(store, create(store, "other")).code == "about_to_start"


def test_limits(store: Store, hands: Hands) -> None:
    flows.edit(store, ANA, "", "weather", {"max_running": 1})
    queues.limit(store, ANA, "", "etl", {"max_running": 2})
    first, second = create(store), create(store)
    (taken,) = hands.take(limit=1)
    hands.begin(taken)
    answer = ask(store, second)
    assert answer.code == "limit_reached"
    assert answer.sentence.startswith("Its flow weather runs 1 of at most 1 jobs at once")
    flows.edit(store, ANA, "", "weather", {"max_running": None})
    assert ask(store, second).code != "limit_reached"
    create(store, "other")
    for each in hands.take(limit=1):
        hands.begin(each)
    third = create(store)
    assert ask(store, third).sentence.startswith("Its queue etl runs 2 of at most 2")
    assert ask(store, first).code == "running"


def test_retrying_tells_what_failed(store: Store, hands: Hands) -> None:
    job = create(store)
    (taken,) = hands.take()
    hands.begin(taken)
    now = clock.now()
    ending = Ending(
        **{name: getattr(taken, name) for name in Ending._fields[:7]},
        code=Code.RETRYING,
        shown=True,
        began=True,
        started_at=now,
        finished_at=now,
        run_at=now + 100 * SECOND,
        reason=Reason.ERROR,
        error='{"type": "ValueError", "message": "no rows"}',
    )
    with store.write() as conn:
        assert finish(conn, [ending])
    answer = ask(store, job)
    assert answer.code == "retrying"
    assert answer.sentence.startswith("Attempt 1 failed: ValueError: no rows; it is tried again")
    assert answer.estimate_s == pytest.approx(100, abs=5)
    assert ask(store, job, now + 200 * SECOND).code == "overdue"
