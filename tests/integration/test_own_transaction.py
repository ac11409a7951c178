"""Jobs created in the caller's own transaction are there with it, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

from jobdeck import Duplicate, Kept, job
from jobdeck.client import settings
from jobdeck.client.default import transport_for
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, JobdeckError, WrongState
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.states import Status
from jobdeck.sdk import registry, transport
from jobdeck.sdk.pipeline import Job as JobPipeline
from jobdeck.store import counters, jobs, sqlite
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from tests.integration.engine.harness import Deck

Opened = Callable[[], Any]


@pytest.fixture
def send(store: Store, store_url: str) -> Iterator[JobPipeline[Any, Any]]:
    """A job, sent to the store; a table of the caller's own is in the same database."""
    with store.write() as conn:
        conn.exec_driver_sql("CREATE TABLE orders (number INTEGER)")
    named = settings.Settings(store=store_url, given=frozenset({"store"}))
    with closing(transport_for(named)) as way, registry.isolated(), transport.using(way):

        @job
        def send(to: str) -> None: ...

        yield send


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    """The caller's own, as it would be made."""
    if store.sqlite:
        made = create_engine(f"sqlite:///{store.path}", module=sqlite.module())
    else:
        made = create_engine(store.address.replace("postgresql:", "postgresql+psycopg:"))
    yield made
    made.dispose()


@contextmanager
def raw(store: Store) -> Iterator[Any]:
    """A connection of the driver's."""
    if store.path:
        opened = sqlite.module().connect(store.path)
    else:
        import psycopg

        opened = psycopg.connect(store.address, row_factory=psycopg.rows.dict_row)
    with closing(opened):
        yield opened


def of(store: Store) -> list[Job]:
    with store.read() as conn:
        return jobs.find(conn, JobFilter(), sort=["id"], now=clock.now()).items


def check(store: Store, orders: int, *to: str) -> None:
    """The rows and the counters."""
    assert [each.params["to"] for each in of(store)] == list(to)
    with store.read() as conn:
        found = conn.exec_driver_sql("SELECT count(*) FROM orders").scalar_one()
        assert (found, sum(counters.totals(conn).values())) == (orders, len(to))


def test_sqlalchemy(store: Store, send: JobPipeline[Any, Any], engine: Engine) -> None:
    with engine.begin() as conn:
        assert send.enqueue(to="first", connection=conn) == 1
        conn.exec_driver_sql("INSERT INTO orders VALUES (1)")
    check(store, 1, "first")
    with engine.connect() as conn:
        conn.exec_driver_sql("INSERT INTO orders VALUES (2)")
        send.enqueue(to="never", connection=conn)
    check(store, 1, "first")
    with engine.connect() as conn:
        send.enqueue_many([{"to": "a"}, {"to": "b"}], connection=conn)
        conn.exec_driver_sql("INSERT INTO orders VALUES (3)")
        conn.commit()
        send.options(connection=conn, delay="1h").enqueue(to="never")
        conn.rollback()
    check(store, 2, "first", "a", "b")


def test_a_driver_s_connection(store: Store, send: JobPipeline[Any, Any]) -> None:
    send.enqueue(to="outside")
    with raw(store) as conn:
        conn.execute("INSERT INTO orders VALUES (1)")
        send.options(delay="1h").enqueue(to="a", connection=conn)
        conn.commit()
        send.enqueue(to="never", connection=conn)
        conn.rollback()
        send.enqueue(to="b", connection=conn)
        conn.execute("INSERT INTO orders VALUES (2)")
        conn.commit()
    check(store, 2, "outside", "a", "b")
    assert [each.status for each in of(store)] == [
        Status.PENDING,
        Status.SCHEDULED,
        Status.PENDING,
    ]


def test_a_duplicate_leaves_the_transaction_as_it_was(
    store: Store, send: JobPipeline[Any, Any]
) -> None:
    once = send.options(unique_key=lambda params: params["to"])
    first = once.enqueue(to="a")
    with raw(store) as conn:
        conn.execute("INSERT INTO orders VALUES (1)")
        with pytest.raises(Duplicate):
            once.enqueue_many([{"to": "b"}, {"to": "a"}], connection=conn)
        kept = send.options(unique_key="a", on_duplicate="keep").enqueue(to="x", connection=conn)
        assert (kept, isinstance(kept, Kept)) == (first, True)
        once.enqueue(to="b", connection=conn)
        conn.commit()
    check(store, 1, "a", "b")


def test_others_do_not_wait_for_the_commit(store: Store, send: JobPipeline[Any, Any]) -> None:
    if store.sqlite:
        return  # one writer at a time, whoever it is
    send.enqueue(to="known")
    with raw(store) as conn:
        send.enqueue(to="slow", connection=conn)
        with store.write() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            for shard in range(counters.SHARDS):
                other.info[counters.OWN_SHARD] = shard
                enqueue(other, [NewJob(flow_id=1, queue_id=1, params='{"to": "quick"}')], 1)
            del other.info[counters.OWN_SHARD]
        with store.write() as other:
            assert counters.fold(other) == 0
        conn.commit()
        send.enqueue(to="later", connection=conn)
        with store.write() as other:
            assert counters.fold(other) == 0
        conn.commit()
    with store.write() as other:
        assert counters.fold(other) == 1
        left = "SELECT count(*) FROM counters WHERE shard < 0"
        assert other.exec_driver_sql(left).scalar_one() == 0
        assert counters.totals(other)[Status.PENDING] == 3 + counters.SHARDS


def test_folding_beside_callers_loses_nothing(store: Store, send: JobPipeline[Any, Any]) -> None:
    send.enqueue(to="0")
    done = threading.Event()

    def call() -> None:
        with raw(store) as conn:
            for n in range(15):
                send.enqueue(to=f"{n}", connection=conn)
                if n % 3:
                    conn.commit()
                else:
                    conn.rollback()

    def fold() -> None:
        while not done.wait(0.002):
            with store.write() as conn:
                counters.fold(conn)

    threads = [threading.Thread(target=call) for _ in range(3)]
    folder = threading.Thread(target=fold)
    for thread in (folder, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    folder.join()
    assert len(of(store)) == 31
    with store.read() as conn:
        assert counters.totals(conn)[Status.PENDING] == 31


def test_the_pool_hears_of_it(store: Store, send: JobPipeline[Any, Any], tmp_path: Path) -> None:
    deck = Deck(store, tmp_path)
    try:
        deck.define("@job\ndef send(to: str) -> str:\n    return to")
        deck.start_pool()
        (before,) = deck.enqueue("send", to="x")
        deck.wait(before)
        with raw(store) as conn:
            number = send.enqueue(to="a", connection=conn)
            conn.commit()
        assert deck.wait(number).result == "a"
    finally:
        deck.close()


def test_what_will_not_do_is_refused(
    store: Store, send: JobPipeline[Any, Any], engine: Engine, tmp_path: Path
) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db", module=sqlite.module())
    refused: list[tuple[Any, type[JobdeckError], str]] = [
        ("postgresql://here", InvalidValue, "a str will not do"),
        (engine, InvalidValue, "a Engine will not do"),
    ]
    with engine.connect() as conn, other.connect() as elsewhere:
        plain = conn.execution_options(isolation_level="AUTOCOMMIT")
        refused.append((plain, WrongState, "commits each statement"))
        wrong = "leads to .*other.db" if store.sqlite else "will not do"
        refused.append((elsewhere, InvalidValue, wrong))
        for given, kind, why in refused:
            with pytest.raises(kind, match=why):
                send.enqueue(to="a", connection=given)
        with pytest.raises(InvalidValue, match="to"):
            send.enqueue(to=3, connection=conn)
    refusal = pytest.raises(WrongState, match="JOBDECK_STORE")
    with transport.using(_Deaf()), engine.connect() as conn, refusal:
        send.enqueue(to="a", connection=conn)
    other.dispose()
    assert of(store) == []


class _Deaf:
    def enqueue(self, items: Any, manifest: Any = None) -> list[int]:
        raise AssertionError


def test_another_database_of_the_same_server(
    store: Store, send: JobPipeline[Any, Any], request: pytest.FixtureRequest
) -> None:
    if store.sqlite:
        return
    import psycopg

    address = request.getfixturevalue("cluster").create()
    with psycopg.connect(address) as conn, pytest.raises(InvalidValue, match="leads to database"):
        send.enqueue(to="a", connection=conn)
    request.getfixturevalue("cluster").drop(address)


def test_an_unknown_pipeline_beside_a_transaction_on_sqlite(
    store: Store, send: JobPipeline[Any, Any]
) -> None:
    with raw(store) as conn:
        conn.execute("INSERT INTO orders VALUES (1)")
        if store.sqlite:
            with pytest.raises(WrongState, match="not known to the store yet"):
                send.enqueue(to="a", connection=conn)
        else:
            send.enqueue(to="a", connection=conn)
        conn.rollback()
    check(store, 0)
    send.enqueue(to="b")
    check(store, 0, "b")


def test_a_parameter_may_have_that_name(store: Store, send: JobPipeline[Any, Any]) -> None:
    @job
    def link(connection: str | None = None) -> None: ...

    link.enqueue(connection="tcp")
    link.enqueue(connection=None)
    link.enqueue_many([{"connection": "udp"}])
    with raw(store) as conn:
        link.options(connection=conn).enqueue(connection="lost")
        conn.rollback()
    assert [each.params for each in of(store)] == [
        {"connection": "tcp"},
        {"connection": None},
        {"connection": "udp"},
    ]
