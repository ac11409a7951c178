"""Changes that PostgreSQL commits after others with larger numbers are heard of all the same."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.domain import clock
from jobdeck.engine.catalogue import Catalogue
from jobdeck.http.live import Feed
from jobdeck.store import changes
from jobdeck.store.database import Store
from tests.integration.hands import Hands, define


@pytest.mark.parametrize("database", ["postgres"])
def test_open_pages_hear_of_a_change_however_late_it_is_committed(store: Store) -> None:
    def add(conn: Any, many: int) -> None:
        changes.add(conn, clock.now(), [("queue", "mail", "paused")] * many)

    def missed() -> bool:
        return feed.missed

    feed = Feed(store)
    feed.open()
    with store.write() as late:
        add(late, 1)
        with store.write() as conn:
            add(conn, 300)
        assert len(feed.read()) == 300
        assert not feed.read()
        assert not feed.read()
    assert [change.id for change in feed.read() + feed.read()] == [min(ids(store))]
    with store.write() as late:
        add(late, 1)
        for _ in range(4):
            with store.write() as conn:
                add(conn, 200)
            assert len(feed.read()) == 200
    assert [change.id for change in feed.read() + feed.read()] == [ids(store)[301]]
    assert not missed()
    with store.write() as late:
        add(late, 1)
        for _ in range(8):
            with store.write() as conn:
                add(conn, 200)
            feed.read()
    assert not missed()
    assert len(feed.read()) == 1
    assert [missed() for _ in range(3) if not feed.read()] == [True, False, False]
    feed.close()


@pytest.mark.parametrize("database", ["postgres"])
def test_a_pool_hears_of_a_changed_flow_however_late_it_is_committed(store: Store) -> None:
    define(store, "weather")
    hands = Hands(store)
    catalogue = Catalogue()

    def looks() -> bool:
        with store.write() as conn:
            catalogue.read_signals(conn, hands.pool)
            stale, catalogue._stale = catalogue._stale, False
            return stale

    def others(many: int) -> None:
        with store.write() as conn:
            changes.add(conn, clock.now(), [("job", "1", "changed")] * many)

    looks()
    others(10)
    assert not looks()
    with store.write() as late:
        changes.add(late, clock.now(), [("flow", "weather", "changed")])
        for _ in range(4):
            others(1000)
            assert not looks()
    assert looks()
    while looks() or looks():
        pass
    others(2000)
    assert [looks() for _ in range(3)] == [False, True, False]


def ids(store: Store) -> list[int]:
    with store.read() as conn:
        return [change.id for change in changes.after(conn, 0, 10_000)]
