"""Items that a flow takes once: through a real pool, and what everybody can see and forget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.actions import items as actions
from jobdeck.cli.main import main
from jobdeck.client import Client
from jobdeck.domain import clock
from jobdeck.domain.errors import Forbidden, InvalidValue, NotFound
from jobdeck.domain.states import Reason, Status
from jobdeck.engine.leftovers import Leftovers
from jobdeck.store import audit, flows, items
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.engine.harness import Deck
from tests.integration.hands import EVE, Hands, define

CODE = """
    import os

    @job(retries=1, backoff="10ms")
    def takes(ctx: Context, names: list[str], how: str = "") -> list[str]:
        taken = []
        for name in ctx.unseen(names):
            taken.append(name)
            if how == "dies" and ctx.attempt == 1:
                os._exit(1)
            if how == "fails":
                ctx.processed(name)
                raise ValueError
        return taken

    @job
    def slow(ctx: Context, names: list[str], seconds: float = 60) -> list[str]:
        taken = list(ctx.unseen(names))
        ctx.sleep(seconds)
        return taken
"""


@pytest.fixture
def deck(store: Store, tmp_path: Path) -> Iterator[Deck]:
    deck = Deck(store, tmp_path)
    yield deck
    deck.close()


def test_jobs_take_each_item_once(deck: Deck) -> None:
    deck.define(CODE)
    deck.start_pool(workers=2)

    def run(flow: str = "takes", **params: Any) -> Any:
        (job_id,) = deck.enqueue(flow, **params)
        return deck.wait(job_id).result

    assert run(names=["a", "b", "a"]) == ["a", "b"]
    assert run(names=["b", "c"]) == ["c"]
    # Each attempt has done one; what it had only claimed is free after the last.
    assert run(names=["d", "e", "f"], how="fails") is None
    assert run(names=["d", "e", "f"]) == ["f"]
    # A worker that dies costs the job none of its claims.
    assert run(names=["g", "h"], how="dies") == ["g", "h"]
    (long,) = deck.enqueue("slow", names=["a"])
    deck.wait(long, Status.RUNNING)
    _claimed(deck.store, "slow", "a")
    assert run("slow", names=["a"], seconds=0) == []
    deck.request_stop(long)
    assert deck.wait(long).reason == Reason.STOPPED
    assert run("slow", names=["a"], seconds=0) == ["a"]


def _claimed(store: Store, flow: str, item: str) -> None:
    from tests.integration.engine.harness import wait_for

    def found() -> bool:
        with store.read() as conn:
            page = items.find(conn, flows.get(conn, flow).id, clock.now(), item=item)
        return bool(page.items)

    wait_for("a claim", found)


def test_what_everybody_sees_and_forgets(
    store: Store, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    define(store)
    with Client(store_url) as client:
        job = client.create("weather", {"city": "Ede"}).id
    now = clock.now()
    with store.write() as conn:
        flow = flows.get(conn, "weather").id
        items.process(conn, items.Place(flow, "", job + 1), ["a", "b"], now)
        items.process(conn, items.Place(flow, "x", job + 1), [f"{n:04}" for n in range(1200)], now)
        items.claim(conn, items.Place(flow, "", job), ["c"], now, now + 10**9)
    with (
        Served(store_url, "/base") as served,
        Client(store_url) as near,
        Client(url=served.url, token=TOKEN) as far,
    ):
        for client in (near, far):
            assert client.count_items("weather") == (
                {"claimed": 1, "deferred": 0, "processed": 1202, "released": 0},
                False,
            )
            assert client.count_items("weather", job=job)[0]["claimed"] == 1
            assert [each.item for each in client.items("weather", job=job).items] == ["c"]
            page = client.items("weather", source="")
            assert [each.item for each in page.items] == ["a", "b", "c"]
            assert page.items[2].job == job
            assert [each.item for each in client.items("weather", state="claimed").items] == ["c"]
            first = client.items("weather", source="x", limit=2)
            second = client.items("weather", source="x", limit=2, cursor=first.next)
            assert [each.item for each in second.items] == ["0002", "0003"]
            with pytest.raises(InvalidValue, match="state"):
                client.items("weather", state="lost")
            with pytest.raises(NotFound):
                client.forget_items("nothing")
        assert far.forget_items("weather", source="x", item="0003", reason="again") == 1
        assert near.forget_items("weather", source="x") == 1199
        assert main(["flows", "items", "weather", "--count", "--json", "--store", store_url]) == 0
        assert json.loads(capsys.readouterr().out)["processed"] == 2
        assert main(["flows", "forget", "weather", "--store", store_url]) == 2
        assert main(["flows", "forget", "weather", "--item", "a", "--store", store_url]) == 0
        assert "1 item" in capsys.readouterr().out
        one = ["flows", "items", "weather", "--job", str(job), "--count", "--json"]
        assert main([*one, "--store", store_url]) == 0
        assert json.loads(capsys.readouterr().out)["processed"] == 0
        assert main(["flows", "items", "weather", "--store", store_url]) == 0
        told = capsys.readouterr().out
        assert "claimed" in told
        assert far.forget_items("weather") == 2
    with pytest.raises(Forbidden):
        actions.forget(store, EVE, "", "weather")
    with store.read() as conn:
        rows = [row for row in audit.find(conn) if row.action == "items.forget"]
    assert [(row.target, row.detail["items"]) for row in rows] == [
        ("flow weather", 2),
        ("flow weather", 1),
        ("flow weather", 1199),
        ("flow weather", 1),
    ]


def test_maintenance_writes_down_what_follows(store: Store) -> None:
    define(store)
    with store.write() as conn:
        flow = flows.get(conn, "weather").id
    with Client(store.address) as client:
        job = client.create("weather", {"city": "Ede"}, unique_key="k").id
    now = clock.now()
    with store.write() as conn:
        items.claim(conn, items.Place(flow, "", job), [f"{n}" for n in range(2500)], now, now + 1)
    assert Hands(store).run() == [job]
    assert not Leftovers(store).tidy(now + 2)
    with store.read() as conn:
        states = "SELECT state, count(*) FROM processed_items GROUP BY state"
        assert conn.exec_driver_sql(states).fetchall() == [("processed", 2500)]
        assert conn.exec_driver_sql("SELECT count(*) FROM unique_keys").scalar_one() == 0
    leftovers = Leftovers(store)
    assert leftovers.tidy(now + 2 * items.KEEP)
    assert leftovers.tidy(now + 2 * items.KEEP)
    assert not leftovers.tidy(now + 2 * items.KEEP)
