"""The hub that tells who listens what changes, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from jobdeck.domain import clock
from jobdeck.http import live
from jobdeck.http.live import Batch, Hub
from jobdeck.http.waiting import Waiting
from jobdeck.store import changes
from jobdeck.store.database import Store


def tell(store: Store, *refs: object, topic: str = "job") -> None:
    with store.write() as conn:
        changes.add(conn, clock.now(), [(topic, str(ref), "changed") for ref in refs])


def run(store: Store, scenario: Callable[[Hub], Awaitable[None]]) -> None:
    async def inside() -> None:
        hub = Hub(store)
        try:
            await asyncio.wait_for(scenario(hub), 60)
        finally:
            await hub.close()

    asyncio.run(inside())


def refs(batch: Batch) -> list[str]:
    return [change.ref for change in batch.changes if change.topic == "job"]


def test_gathers_what_changes_for_each_who_listens(store: Store) -> None:
    async def scenario(hub: Hub) -> None:
        start = (await hub.position()).mark
        every = hub.subscribe((), after=start)
        one = hub.subscribe([("job", "2")], after=start)
        queues = hub.subscribe(["queue"], after=start)
        tell(store, 1, 2, 1)
        tell(store, "etl", topic="queue")
        assert sorted(refs(await anext(every))) == ["1", "2"]
        found = await anext(one)
        assert refs(found) == ["2"]
        assert [change.ref for change in (await anext(queues)).changes] == ["etl"]
        tell(store, 2)
        again = await anext(one)
        assert refs(again) == ["2"]
        assert again.last > found.last

    run(store, scenario)


@pytest.mark.parametrize("database", ["postgres"])
def test_going_on_misses_no_change_that_was_committed_late(store: Store) -> None:
    """Neither where the same server goes on, nor another one."""

    async def scenario(hub: Hub) -> None:
        stream = hub.subscribe(["job"], idle_s=0.05)
        batch = await anext(stream)
        with store.write() as late:
            changes.add(late, clock.now(), [("job", "late", "changed")])
            for _ in range(3):
                tell(store, *range(100))
                while not (batch := await anext(stream)).changes:
                    pass
        other = Hub(store)
        for each in (hub, other):
            again = await anext(each.subscribe(["job"], after=batch.mark))
            assert "late" in refs(again)
        await other.close()
        while (batch := await anext(stream)).mark < batch.last:
            pass
        tell(store, "last")
        assert refs(await anext(hub.subscribe(["job"], after=batch.mark))) == ["last"]

    run(store, scenario)


@pytest.mark.parametrize("database", ["postgres"])
def test_who_begins_while_a_transaction_lasts_looks_again_when_it_has_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_SETTLE_S", 0.05)

    async def scenario(hub: Hub) -> None:
        with store.write() as late:
            changes.add(late, clock.now(), [("job", "late", "changed")])
            tell(store, *range(300))
            start = await hub.position()
            assert (start.last, start.mark) == (301, 0)
            stream = hub.subscribe(["job"], idle_s=0.05)
            assert not (await anext(stream)).changes
        while not (batch := await anext(stream)).reload:
            assert not batch.changes

    run(store, scenario)


def test_tells_a_slow_listener_to_look_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PENDING_MAX", 5)

    async def scenario(hub: Hub) -> None:
        slow = hub.subscribe(["job"])
        quick = hub.subscribe(["queue"])
        waiting = asyncio.ensure_future(anext(quick))
        first = asyncio.ensure_future(anext(slow))
        await asyncio.sleep(0)
        while not first.done():
            tell(store, 0)
            await asyncio.sleep(0.05)
        tell(store, *range(10))
        tell(store, "etl", topic="queue")
        await waiting
        batch = await anext(slow)
        assert batch.reload
        assert batch.changes == ()

    run(store, scenario)


def test_gives_a_sign_of_life_where_nothing_changes(store: Store) -> None:
    async def scenario(hub: Hub) -> None:
        batch = await anext(hub.subscribe(["job"], idle_s=0.05))
        assert (batch.changes, batch.reload) == ((), False)

    run(store, scenario)


def test_ends_when_it_is_closed(store: Store) -> None:
    async def scenario(hub: Hub) -> None:
        async def listen() -> int:
            return len([batch async for batch in hub.subscribe(["job"])])

        listening = asyncio.ensure_future(listen())
        waiting = asyncio.ensure_future(Waiting(store, hub.closing).ended(1, 60))
        await asyncio.sleep(0.2)
        await hub.close()
        assert await listening == 0
        assert await waiting in (True, False)
        assert [batch async for batch in hub.subscribe(["job"])] == []

    run(store, scenario)


def test_rests_while_nobody_listens(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    after = changes.after

    def counted(*args: object, **more: object) -> object:
        nonlocal reads
        reads += 1
        return after(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(changes, "after", counted)

    async def scenario(hub: Hub) -> None:
        stream = hub.subscribe(["job"], idle_s=0.01)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        while any("_poll" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110  the task tells nobody
            await asyncio.sleep(0.02)
        before = reads
        tell(store, 1)
        await asyncio.sleep(0.3)
        assert reads == before
        tell(store, 2)
        again = hub.subscribe(["job"], after=0)
        assert refs(await anext(again)) == ["1", "2"]

    run(store, scenario)


def test_an_idle_store_on_sqlite_is_not_read(
    store: Store, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database != "sqlite":
        return

    async def scenario(hub: Hub) -> None:
        stream = hub.subscribe(["job"], idle_s=0.3)
        await anext(stream)
        reads = 0
        read = store.read

        def counted() -> object:
            nonlocal reads
            reads += 1
            return read()

        monkeypatch.setattr(store, "read", counted)
        await anext(stream)
        assert reads <= 1
        tell(store, 1)
        assert refs(await anext(stream)) == ["1"]

    run(store, scenario)
