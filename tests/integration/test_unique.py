"""Unique keys wherever jobs are created: from Python, through a server, inside a job, by flows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from jobdeck import Kept, job
from jobdeck.actions import flows as flow_actions
from jobdeck.actions import jobs as actions
from jobdeck.actions import schedules as schedule_actions
from jobdeck.client import Client, settings
from jobdeck.client.default import transport_for
from jobdeck.domain import clock
from jobdeck.domain.errors import Duplicate, InvalidValue
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Status
from jobdeck.domain.uniqueness import Wish
from jobdeck.engine.scheduler import Scheduler
from jobdeck.sdk import registry
from jobdeck.sdk import transport as transports
from jobdeck.sdk.transport import EnqueueItem, Transport
from jobdeck.store import jobs, pipelines
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.engine.harness import Deck
from tests.integration.hands import ANA, Hands, define, manifest

CITY = {"city": "Ede"}
NOTHING = {"type": "object", "properties": {}}


@pytest.fixture
def server(store: Store, store_url: str) -> Iterator[Served]:
    define(store, "weather", "mail")
    with Served(store_url) as served:
        yield served


def item(key: str | None, keep: bool = False, **more: Any) -> EnqueueItem:
    wish = Wish(key=key, on_duplicate="keep" if keep else "reject") if key else Wish()
    return EnqueueItem(flow="weather", params={**CITY, **more}, unique=wish)


def of(store: Store, flow: str = "weather") -> list[Job]:
    with store.read() as conn:
        return jobs.find(conn, JobFilter(flow=flow), sort=["id"], now=clock.now()).items


def test_from_python(store: Store, store_url: str, server: Served) -> None:
    near = settings.Settings(store=store_url, given=frozenset({"store"}))
    for named in (near, settings.Settings(url=server.url, token=TOKEN)):
        with closing(transport_for(named)) as transport:
            tells_of_each(transport, store)
            with registry.isolated(), transports.using(transport):
                enqueues(named.url)


def tells_of_each(transport: Transport, store: Store) -> None:
    first, free = transport.enqueue([item("a"), item(None)])
    with pytest.raises(Duplicate, match=r"items\[1\].unique_key: Job") as caught:
        transport.enqueue([item("b"), item("a")])
    assert caught.value.job == first
    made = transport.enqueue([item("b"), item("a", keep=True), item("b", keep=True)])
    assert [isinstance(each, Kept) for each in made] == [False, True, True]
    assert (made[1], made[2]) == (first, made[0])
    assert transport.enqueue([item("a", keep=True)]) == [first]
    assert [each.id for each in of(store)][-3:] == [first, free, made[0]]
    Hands(store).run()


def enqueues(to: str) -> None:
    @job(unique="reject")
    def send(to: str, copies: int = 1) -> None: ...

    first = send.enqueue(to=to)
    with pytest.raises(Duplicate, match="has the same parameters"):
        send.enqueue(to=to)
    assert send.enqueue(to=to, copies=2) > first
    by_name = send.options(
        unique_key=lambda params: params["to"] + to,
        unique_in="all",
        unique_for="1h",
        on_duplicate="keep",
    )
    made = by_name.enqueue_many([{"to": "a"}, {"to": "b"}, {"to": "a", "copies": 3}])
    assert [isinstance(each, Kept) for each in made] == [False, False, True]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"unique_in": "queue"}, "unique_in"),
        ({"unique_for": "1h"}, "unique_for"),
        ({"on_duplicate": "keep"}, "on_duplicate"),
        ({"unique_key": ""}, "unique_key"),
        ({"unique_key": "x" * 201}, "unique_key"),
        ({"unique_key": "a", "unique_in": "here"}, "unique_in"),
        ({"unique_key": "a", "unique_for": "soon"}, "unique_for"),
        ({"unique_key": "a", "unique_for": "400d"}, "unique_for"),
        ({"unique_key": "a", "on_duplicate": "hope"}, "on_duplicate"),
    ],
)
def test_what_does_not_fit_is_refused(options: Any, field: str) -> None:
    with registry.isolated():

        @job
        def send(to: str) -> None: ...

        with pytest.raises(InvalidValue) as caught:
            send.options(**options)
        assert caught.value.field == field
        with pytest.raises(InvalidValue) as caught:
            job(name="other", unique="perhaps")(lambda: None)
        assert caught.value.field == "unique"


def test_the_client_and_its_scopes(store: Store, store_url: str, server: Served) -> None:
    with Client(store_url) as near, Client(url=server.url, token=TOKEN) as far:
        first = near.create("weather", CITY, unique_key="k")
        assert near.create("mail", CITY, unique_key="k").id > first.id
        queued = far.create("weather", CITY, unique_key="k", unique_in="queue")
        for client in (near, far):
            with pytest.raises(Duplicate) as caught:
                client.create("mail", CITY, unique_key="k", unique_in="queue")
            assert caught.value.job == queued.id
            kept = client.create("weather", {"city": "x"}, unique_key="k", on_duplicate="keep")
            assert (kept.id, kept.kept, kept.params, kept.unique_key) == (first.id, True, CITY, "k")
            assert not client.get(first.id).kept
        # What is refused leaves the books as they were.
        assert far.count()[Status.PENDING] == 3
        far.stop(first.id)
        again = far.create("weather", CITY, unique_key="k", unique_for="1h")
        far.stop(again.id)
        with pytest.raises(Duplicate, match="until"):
            near.create("weather", CITY, unique_key="k")
        with pytest.raises(Duplicate, match=f"Job {first.id} cannot be retried. Job {again.id}"):
            far.retry(first.id)
        far.delete(again.id)
        assert far.retry(first.id).status == Status.PENDING


def test_schedules_and_following_flows_keep_what_is_open(store: Store) -> None:
    define(store)
    with store.write() as conn:
        known = manifest("report", params_schema=NOTHING, unique="reject")
        pipelines.register(conn, known, clock.now(), publish=True)
    flow_actions.edit(store, ANA, "", "report", {"after": ["weather"]})
    schedule = schedule_actions.add(store, ANA, "", "report", interval_s=3600)
    hands = Hands(store)
    for _ in range(2):
        actions.create(store, ANA, "", EnqueueItem(flow="weather", params=CITY))
    assert len(hands.run()) == 2
    (report,) = of(store, "report")
    Scheduler(store).fire_due((schedule.next_at or 0) + 1)
    assert [each.id for each in of(store, "report")] == [report.id]
    with pytest.raises(Duplicate, match="has the same parameters"):
        schedule_actions.run(store, ANA, "", schedule.id)
    with pytest.raises(Duplicate):
        actions.run_again(store, ANA, "", report.id, {})
    hands.run(Code.FAILED)
    assert schedule_actions.run(store, ANA, "", schedule.id).id > report.id


CODE = """
    from jobdeck import Duplicate, Kept

    @job
    def one(n: int): ...

    @job
    def makes():
        first = one.options(unique_key="k", delay="1h").enqueue(n=1)
        try:
            one.options(unique_key="k").enqueue(n=2)
        except Duplicate as error:
            refused = error.job
        kept = one.options(unique_key="k", on_duplicate="keep").enqueue_many([{"n": 3}, {"n": 4}])
        return [first, refused, *kept, *(isinstance(each, Kept) for each in kept)]

    @job
    def waits():
        one.options(unique_key="w").enqueue(n=1)
"""


def test_inside_a_job(store: Store, tmp_path: Any) -> None:
    deck = Deck(store, tmp_path)
    try:
        deck.define(CODE)
        deck.start_pool()
        (makes,) = deck.enqueue("makes")
        ended = deck.wait(makes)
        assert ended.status == Status.COMPLETED, ended.error
        first, *rest = ended.result
        assert rest == [first, first, first, True, True]
        assert [each.id for each in of(store, "one")] == [first]
        if not store.sqlite:
            # A transaction that is just taking the key does not hold the pool up.
            with store.writer.connect() as other, other.begin():
                other.exec_driver_sql(
                    "INSERT INTO unique_keys (key, job_id) SELECT 'flow:' || id || ':w', 1 "
                    "FROM flows WHERE name = 'one'"
                )
                (waits,) = deck.enqueue("waits")
                ended = deck.wait(waits)
            assert "try again" in (ended.error.message if ended.error else "")
    finally:
        deck.close()
