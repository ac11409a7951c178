"""Limits of queues and flows: setting them, taking them away, refusing what is none."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from jobdeck.actions import flows, queues
from jobdeck.domain.errors import Forbidden, InvalidValue, NotFound
from jobdeck.store import audit, limits
from jobdeck.store import flows as flow_reads
from jobdeck.store import queues as queue_reads
from jobdeck.store.database import Store
from jobdeck.store.tables import flows as flow_rows
from jobdeck.store.tables import queues as queue_rows
from tests.integration.hands import ANA, EVE, define

BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_running": 0}, "max_running"),
    ({"max_running": -1}, "max_running"),
    ({"max_running": 1_000_001}, "max_running"),
    ({"max_running": True}, "max_running"),
    ({"max_running": "2"}, "max_running"),
    ({"rate": ""}, "rate"),
    ({"rate": "0/s"}, "rate"),
    ({"rate": "-1/s"}, "rate"),
    ({"rate": "10"}, "rate"),
    ({"rate": "10/0s"}, "rate"),
    ({"rate": "10/year"}, "rate"),
    ({"rate": "1/999999999d"}, "rate"),
    ({"rate": 5}, "rate"),
    ({"max_running": 2, "rate": "fast"}, "rate"),
]


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


def standing(store: Store) -> tuple[Any, ...]:
    with store.read() as conn:
        queue = queue_reads.get(conn, "etl", 0)
        flow = flow_reads.get(conn, "weather")
    return queue.max_running, queue.rate, flow.max_running, flow.rate


def test_a_queue_is_limited_and_freed_again(store: Store) -> None:
    queue = queues.limit(store, ANA, "the API is slow", "etl", {"max_running": 3, "rate": "60/1m"})
    assert (queue.max_running, queue.rate) == (3, "60/m")
    assert queues.limit(store, ANA, "", "etl", {"max_running": None}).rate == "60/m"
    queue = queues.limit(store, ANA, "", "etl", {"rate": None})
    assert (queue.max_running, queue.rate) == (None, None)
    with store.read() as conn:
        first = [row for row in audit.find(conn) if row.action == "queue.limit"][-1]
    assert (first.actor, first.target, first.reason) == ("ana", "queue etl", "the API is slow")
    assert first.detail["rate"] == {"before": None, "after": "60/m"}


def test_a_flow_is_added_and_edited_with_limits(store: Store) -> None:
    flow = flows.add(store, ANA, "", "slow", "weather", max_running=1, rate="5/30s")
    assert (flow.max_running, flow.rate) == (1, "5/30s")
    assert flows.edit(store, ANA, "", "slow", {"rate": None}).max_running == 1
    flows.remove(store, ANA, "", "slow")
    again = flows.add(store, ANA, "", "slow", "weather")
    assert (again.max_running, again.rate) == (None, None)


@pytest.mark.parametrize(("changes", "field"), BAD)
def test_what_is_no_limit_is_refused_and_changes_nothing(
    store: Store, changes: dict[str, Any], field: str
) -> None:
    queues.limit(store, ANA, "", "etl", {"max_running": 4, "rate": "1/s"})
    before = standing(store)
    with pytest.raises(InvalidValue) as caught:
        queues.limit(store, ANA, "", "etl", changes)
    assert caught.value.field == field
    with pytest.raises(InvalidValue) as caught:
        flows.edit(store, ANA, "", "weather", changes)
    assert caught.value.field == field
    with pytest.raises(InvalidValue):
        flows.add(store, ANA, "", "more", "weather", **changes)
    assert standing(store) == before
    with store.read() as conn, pytest.raises(NotFound):
        flow_reads.get(conn, "more")


def test_a_limit_needs_a_queue_a_change_and_a_role(store: Store) -> None:
    with pytest.raises(NotFound, match="etl"):
        queues.limit(store, ANA, "", "elt", {"max_running": 1})
    with pytest.raises(NotFound):
        queues.limit(store, ANA, "", "all", {"max_running": 1})
    with pytest.raises(InvalidValue, match="nothing to change"):
        queues.limit(store, ANA, "", "etl", {})
    with pytest.raises(InvalidValue, match="limit of a queue"):
        queues.limit(store, ANA, "", "etl", {"paused_at": None})
    with pytest.raises(Forbidden):
        queues.limit(store, EVE, "", "etl", {"max_running": 1})


@pytest.mark.parametrize("table", [queue_rows, flow_rows], ids=["queue", "flow"])
def test_a_new_rate_does_not_wait_for_the_old_one(store: Store, table: Any) -> None:
    def set_rate(text: str) -> None:
        if table is queue_rows:
            queues.limit(store, ANA, "", "etl", {"rate": text})
        else:
            flows.edit(store, ANA, "", "weather", {"rate": text})

    def allowance(spend: int = 0) -> int | None:
        with store.write() as conn:
            lane = conn.execute(select(flow_rows.c.queue_id, flow_rows.c.id)).one()
            ids = ([lane[0]], []) if table is queue_rows else ([], [lane[1]])
            allowed = limits.allowance(conn, *ids, 1_000_000)
            free = allowed.of((lane[0], lane[1]))
            allowed.spend(conn, [(lane[0], lane[1])] * spend, 1_000_000)
        return free

    set_rate("1/d")
    assert allowance(spend=1) == 1
    assert allowance() == 0
    set_rate("2/s")
    assert allowance() == 2


def test_a_rate_tells_when_it_lets_the_next_one_start(store: Store) -> None:
    """Whoever waits for that needs no other reason to look again."""
    flows.edit(store, ANA, "", "weather", {"rate": "4/s"})
    now = 1_000_000
    with store.write() as conn:
        lane = conn.execute(select(flow_rows.c.queue_id, flow_rows.c.id)).one()
        allowed = limits.allowance(conn, [], [lane[1]], now)
        assert allowed.opens_at(now) is None
        allowed.spend(conn, [(lane[0], lane[1])] * 3, now)
        assert allowed.opens_at(now) is None
        allowed.spend(conn, [(lane[0], lane[1])], now)
        assert allowed.opens_at(now) == now + 250_000
    with store.write() as conn:
        assert limits.allowance(conn, [], [lane[1]], now).opens_at(now) == now + 250_000
