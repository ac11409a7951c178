"""Where `enqueue()` goes: into a named store, through a server, never anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobdeck.client import settings
from jobdeck.client.default import transport_for
from jobdeck.client.store_transport import StoreTransport
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, NotFound, StoreUnreachable, WrongState
from jobdeck.domain.states import Status
from jobdeck.sdk.transport import EnqueueItem, Transport
from jobdeck.store import audit, counters, flows, jobs, pipelines, schema
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.hands import manifest

CITY = {"city": "Gouda"}


@pytest.fixture(params=["store", "server"])
def transport(request: pytest.FixtureRequest, store: Store, store_url: str) -> Iterator[Transport]:
    if request.param == "store":
        named = settings.Settings(store=store_url, given=frozenset({"store"}))
        with closing(transport_for(named)) as found:
            yield found
        return
    served_at = Served(store_url)
    with served_at, closing(transport_for(settings.Settings(url=served_at.url, token=TOKEN))) as it:
        yield it


@pytest.fixture
def local(store: Store, store_url: str) -> Iterator[Transport]:
    named = settings.Settings(store=store_url, given=frozenset({"store"}))
    with closing(transport_for(named)) as found:
        yield found


def items(*cities: object) -> list[EnqueueItem]:
    return [EnqueueItem(flow="weather", params={"city": city}) for city in cities]


def test_registers_an_unknown_pipeline_once(transport: Transport, store: Store) -> None:
    known = manifest(schedules=[{"cron": "0 5 * * *"}])
    with pytest.raises(NotFound):
        transport.enqueue(items("a"))
    (first,) = transport.enqueue(items("a"), known)
    ids = transport.enqueue(items("b", "c"), known)
    assert transport.enqueue(items("d")) == [ids[-1] + 1]
    with store.read() as conn:
        assert [jobs.get(conn, each).params["city"] for each in (first, *ids)] == ["a", "b", "c"]
        pipeline = pipelines.get(conn, "weather")
    assert (pipeline.current_version, pipeline.published_version) == (1, 1)


def test_says_where_jobs_come_from(transport: Transport, store: Store) -> None:
    (number,) = transport.enqueue(items("a"), manifest())
    with store.read() as conn:
        job = jobs.get(conn, number)
        audited = [row.action for row in audit.find(conn)]
    local = isinstance(transport, StoreTransport)
    assert job.source == ("sdk" if local else "api")
    assert job.created_by
    assert audited == ([] if local else ["job.create_many"])


def test_all_or_none(transport: Transport, store: Store) -> None:
    transport.enqueue(items("a"), manifest())
    with pytest.raises(InvalidValue) as caught:
        transport.enqueue(items("a", "b", 3, "d"))
    assert caught.value.field == "items[2].params.city"
    with store.read() as conn:
        assert counters.totals(conn)[Status.PENDING] == 1


def test_does_not_publish_what_somebody_unpublished(transport: Transport, store: Store) -> None:
    transport.enqueue(items("a"), manifest())
    with store.write() as conn:
        pipelines.unpublish(conn, "weather", 1)
    with pytest.raises(WrongState, match="publish"):
        transport.enqueue(items("b"), manifest())


def test_takes_the_flow_as_it_is_now(local: Transport, store: Store) -> None:
    (first,) = local.enqueue(items("a"), manifest())
    with store.write() as conn:
        flows.edit(conn, "weather", {"queue": "slow", "priority": 7}, clock.now())
    (second,) = local.enqueue(items("b"))
    (third,) = local.enqueue(items("c"))
    with store.read() as conn:
        found = [jobs.get(conn, number) for number in (first, second, third)]
    assert [(job.queue, job.priority) for job in found[1:]] == [("slow", 7)] * 2
    assert found[0].queue != "slow"
    assert [job.params["city"] for job in found] == ["a", "b", "c"]


def test_many_in_chunks(local: Transport, store: Store) -> None:
    ids = local.enqueue(items(*[str(n) for n in range(12_001)]), manifest())
    assert len(set(ids)) == 12_001
    with store.read() as conn:
        assert jobs.get(conn, ids[-1]).params == {"city": "12000"}
        assert counters.totals(conn)[Status.PENDING] == 12_001
    with pytest.raises(InvalidValue, match=r"items\[12000\]"):
        local.enqueue(items(*[str(n) for n in range(12_000)], 5))
    with store.read() as conn:
        assert counters.totals(conn)[Status.PENDING] == 12_001


def test_threads_share_a_transport(local: Transport, store: Store) -> None:
    local.enqueue(items("first"), manifest())
    found: list[int] = []

    def work() -> None:
        for n in range(25):
            found.extend(local.enqueue(items(str(n)), manifest()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 100
    with store.read() as conn:
        assert counters.totals(conn)[Status.PENDING] == 101


def test_only_a_named_store_is_created(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'jobs.db'}"
    with pytest.raises(StoreUnreachable, match="JOBDECK_STORE"):
        transport_for(settings.Settings(store=address))
    assert list(tmp_path.iterdir()) == []
    named = settings.Settings(store=address, given=frozenset({"store"}))
    with closing(transport_for(named)) as made:
        assert made.enqueue(items("a"), manifest())
    store = Store(address)
    assert schema.status(store).ready
    store.close()
    with closing(transport_for(settings.Settings(store=address))) as again:
        assert again.enqueue(items("b"))


PROGRAM = """
from jobdeck import job

@job(queue="mail")
def send(to: str) -> None: ...

print(send.enqueue(to="a@example.org"))
print(send.enqueue_many({"to": str(n)} for n in range(3)))
"""


def run(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "mail.py").write_text(PROGRAM)
    clean = {name: text for name, text in os.environ.items() if not name.startswith("JOBDECK_")}
    return subprocess.run(
        [sys.executable, "mail.py"],
        cwd=folder,
        env={**clean, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_enqueues_where_the_environment_says(tmp_path: Path) -> None:
    lost = run(tmp_path)
    assert lost.returncode != 0
    assert "There is no store" in lost.stderr
    assert [path.name for path in tmp_path.glob("*.db*")] == []
    done = run(tmp_path, JOBDECK_STORE="sqlite:///mine.db")
    assert done.stdout == "1\n[2, 3, 4]\n", done.stderr
    assert (tmp_path / "mine.db").is_file()
    (tmp_path / "jobdeck.toml").write_text('store = "sqlite:///mine.db"\n')
    assert run(tmp_path).stdout == "5\n[6, 7, 8]\n"


def test_a_program_enqueues_through_a_server(tmp_path: Path, store_url: str, store: Store) -> None:
    with Served(store_url) as served:
        done = run(tmp_path, JOBDECK_URL=served.url, JOBDECK_TOKEN=TOKEN)
    assert done.stdout == "1\n[2, 3, 4]\n", done.stderr
    with store.read() as conn:
        assert jobs.get(conn, 4).queue == "mail"
