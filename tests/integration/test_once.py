"""A call that is repeated with its Idempotency-Key is answered by what it created before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from jobdeck.actions import creation
from jobdeck.actions import jobs as actions
from jobdeck.actions.creation import Recipes
from jobdeck.actions.once import Once
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.roles import Actor
from jobdeck.domain.states import Status
from jobdeck.domain.uniqueness import Wish
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import counters, idempotency
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue
from tests.integration.api.caller import Caller
from tests.integration.api.conftest import api, deck, mounted
from tests.integration.hands import ANA, ROOT, Hands, define

__all__ = ["api", "deck", "mounted"]

CITY = {"city": "Ede"}
BODY = {"params": CITY}


def once(key: str = "k", request: bytes = b"same", actor: Actor = ANA) -> Once:
    return Once.of(actor, key, request)


def create(store: Store, actor: Actor = ANA, **more: Any) -> Any:
    item = EnqueueItem(flow="weather", params=CITY)
    return actions.create(store, actor, "", item, once=once(actor=actor, **more))


def total(store: Store) -> int:
    with store.read() as conn:
        return sum(counters.totals(conn).values())


def test_the_first_job_answers(store: Store) -> None:
    define(store)
    first = create(store)
    assert create(store) == first
    # However it is written, and whatever became of the job.
    Hands(store).run()
    again = create(store, key='"k"')
    assert (again.id, again.status) == (first.id, Status.COMPLETED)
    with pytest.raises(InvalidValue, match="another request") as caught:
        create(store, request=b"other")
    assert caught.value.field == "Idempotency-Key"
    assert create(store, key="l").id != first.id
    assert create(store, ROOT).id != first.id
    assert total(store) == 3
    for key in ("", '""', "x" * 256):
        with pytest.raises(InvalidValue):
            once(key)
    actions.delete(store, ANA, "", first.id)
    with pytest.raises(NotFound):
        create(store)


def test_what_was_refused_may_be_tried_again(store: Store) -> None:
    define(store)
    bad = EnqueueItem(flow="weather", params={"city": 1})
    with pytest.raises(InvalidValue, match="city"):
        actions.create(store, ANA, "", bad, once=once())
    assert create(store, request=b"other").status == Status.PENDING


def test_a_day_later_the_key_is_new(store: Store) -> None:
    define(store)
    first = create(store)
    with store.write() as conn:
        conn.exec_driver_sql(f"UPDATE idempotency_keys SET until = {clock.now()}")
        old = "SELECT count(*) FROM idempotency_keys"
    assert create(store, request=b"other").id != first.id
    with store.write() as conn:
        assert idempotency.purge(conn, clock.now()) == 0
        assert idempotency.purge(conn, clock.now() + idempotency.KEEP) == 1
        assert conn.exec_driver_sql(old).scalar_one() == 0


@pytest.mark.parametrize("database", ["postgres"])
def test_a_key_that_is_forgotten_meanwhile_is_a_new_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(store)
    first = create(store)

    def late(*columns: Any) -> Any:
        monkeypatch.undo()
        with store.write() as other:
            assert idempotency.purge(other, clock.now() + idempotency.KEEP) == 1
        return select(*columns)

    monkeypatch.setattr("jobdeck.store.idempotency.select", late)
    assert create(store).id > first.id


def test_many_go_on_where_they_were_broken_off(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(store)
    monkeypatch.setattr(creation, "CHUNK", 3)
    items = [EnqueueItem(flow="weather", params=CITY) for _ in range(8)]

    def ask() -> list[int]:
        return actions.create_many(store, ANA, "", items, recipes=Recipes(), once=once(key="many"))

    calls: list[Any] = []

    def broken(*arguments: Any) -> list[int]:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return enqueue(*arguments)

    monkeypatch.setattr(actions, "enqueue", broken)
    with pytest.raises(KeyboardInterrupt):
        ask()
    assert total(store) == 6
    ids = ask()
    assert len(ids) == len(set(ids)) == 8
    assert ask() == ids
    assert total(store) == 8


def test_calls_at_the_same_time_create_once(store: Store) -> None:
    define(store)
    items = [
        EnqueueItem(flow="weather", params=CITY, unique=Wish(key="a", on_duplicate="keep"))
    ] * 2

    def ask(_: int) -> tuple[int, list[int]]:
        made = actions.create_many(store, ANA, "", items, recipes=Recipes(), once=once(key="many"))
        return create(store).id, made

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert total(store) == 2


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/flows/weather/jobs", BODY, {"params": {"city": "x"}}),
        ("/jobs/batch", {"items": [{"flow": "weather", **BODY}] * 2}, {"items": []}),
        ("/pipelines/weather/run/async", {"jobParams": CITY}, {"jobParams": {"city": "x"}}),
        ("/pipelines/weather/run?timeout=0", {"jobParams": CITY}, {"jobParams": {"city": "x"}}),
        ("/jobs/1/run-again", {"params": {}}, {"params": {"days": 2}}),
    ],
)
def test_over_rest(api: Caller, key: dict[str, str], path: str, body: Any, other: Any) -> None:
    api.post("/flows/weather/jobs", BODY)
    before = api.get("/jobs/count")["pending"]
    first = api.call("POST", path, json=body, headers=key)
    assert first.status_code in (201, 202), first.text
    again = api.call("POST", path, json=body, headers=key)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    found = api.problem("POST", path, 422, json=other, headers=key)
    assert found["field"] == "Idempotency-Key"
    api.problem("POST", path, 422, json=body, headers={"Idempotency-Key": ""})
    assert api.get("/jobs/count")["pending"] - before == (2 if "batch" in path else 1)
