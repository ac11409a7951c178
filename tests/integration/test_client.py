"""The client, on a store and on a server: the same in both."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.client import Client
from jobdeck.domain import clock
from jobdeck.domain.errors import (
    Duplicate,
    InvalidValue,
    NotFound,
    StoreUnreachable,
    Unauthenticated,
    WrongState,
)
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import files, logs
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.hands import Hands, manifest

CITY = {"city": "Gouda"}


@pytest.fixture(params=["store", "server"])
def client(request: pytest.FixtureRequest, here: Store) -> Iterator[Client]:
    if request.param == "store":
        with Client(here.address) as found:
            yield found
        return
    with Served(here.address, "/base") as served, Client(url=served.url, token=TOKEN) as found:
        yield found


def test_jobs(client: Client, here: Store) -> None:
    job = client.create("weather", CITY, priority=3, context="dev", reason="try")
    assert client.get(job.id) == job
    assert (job.status, job.priority, job.context) == (Status.PENDING, 3, "dev")
    later = client.create("weather", CITY, run_at=clock.now() + 10**12)
    assert later.status == Status.SCHEDULED
    ids = client.create_many("weather", [{"city": str(n)} for n in range(3)])
    assert [client.get(each).params for each in ids] == [{"city": str(n)} for n in range(3)]
    assert client.count(flow="weather")[Status.PENDING] == 4
    page = client.jobs(status="pending", flow="weather", limit=3)
    assert [found.id for found in page.items] == ids[::-1]
    rest = client.jobs(JobFilter(status=(Status.PENDING,)), limit=3, cursor=page.next)
    assert [found.id for found in rest.items] == [job.id]
    assert len(list(client.all_jobs(status=["pending", "scheduled"]))) == 5
    assert client.stop(ids[0], reason="enough").status == Status.STOPPED
    assert client.kill(ids[1]).reason == Reason.KILLED
    assert client.retry(ids[0], from_="start").status == Status.PENDING
    assert client.run_again(ids[1], {"city": "Ede"}).params == {"city": "Ede"}
    client.delete(ids[1])
    with pytest.raises(NotFound, match=str(ids[1])):
        client.get(ids[1])
    Hands(here).run(Code.FAILED, Reason.TIMEOUT)
    assert client.result(job.id).status == Status.FAILED
    assert [attempt.reason for attempt in client.attempts(job.id)] == [Reason.TIMEOUT]
    assert {event.kind for event in client.events(job.id)} == {"created", "started", "failed"}
    assert [step.name for step in client.steps(job.id)] == ["extract", "load"]
    assert client.calls(job.id) == []


def test_logs_and_files(client: Client, here: Store) -> None:
    job = client.create("weather", CITY)
    now = clock.now()
    with here.write() as conn:
        rows = [
            (job.id, 1, n, now, level, "log", "", f"line {n}", '{"n": 1}')
            for n, level in ((1, "info"), (2, "error"))
        ]
        logs.append(conn, rows)
        files.save(conn, job.id, "out/a b.txt", "x/a.txt", 2, now, "load")
    (here.files / "x").mkdir(parents=True)
    (here.files / "x" / "a.txt").write_bytes(b"\x00\xff")
    lines = client.logs(job.id)
    assert client.logs(job.id, limit=100_000) == lines
    assert [(line.level, line.message, line.fields) for line in lines] == [
        ("info", "line 1", {"n": 1}),
        ("error", "line 2", {"n": 1}),
    ]
    assert client.logs(job.id, level="error") == client.logs(job.id, after=lines[0].id) == lines[1:]
    (file,) = client.files(job.id)
    assert (file.name, file.size, file.step) == ("out/a b.txt", 2, "load")
    assert client.file(job.id, file.name) == b"\x00\xff"
    with pytest.raises(NotFound):
        client.file(job.id, "other")


def test_running_waits_for_the_end(client: Client, here: Store) -> None:
    hands = Hands(here)

    def work() -> None:
        while not hands.run():
            time.sleep(0.01)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    assert client.run("weather", CITY, timeout_s=20).status == Status.COMPLETED
    worker.join()
    assert client.run("weather", CITY, timeout_s=0.2).status == Status.PENDING


def test_flows_and_pipelines(client: Client) -> None:
    (rain,) = client.register([manifest("rain")])
    assert (rain.published_version, rain.manifest) == (1, manifest("rain"))
    assert client.unpublish("rain").published_version is None
    assert client.publish("rain", version=1).published_version == 1
    assert [pipeline.name for pipeline in client.pipelines()] == ["rain", "weather"]
    flow = client.add_flow("ede", "rain", params={"city": "Ede"}, retry=RetryPolicy(2))
    assert (flow.retry, flow.queue) == (RetryPolicy(2), "etl")
    assert client.edit_flow("ede", retry=None, timeout_s=5.0).timeout_s == 5.0
    assert client.flow("ede").retry is None
    assert [found.name for found in client.flows("rain")] == ["ede", "rain"]
    with pytest.raises(Duplicate):
        client.add_flow("ede", "rain")
    with pytest.raises(InvalidValue, match="colour"):
        client.edit_flow("ede", colour="red")
    client.remove_flow("ede")
    client.remove_pipeline("rain")
    assert [found.name for found in client.flows()] == ["weather"]


def test_queues_schedules_and_workers(client: Client, here: Store) -> None:
    client.create("weather", CITY)
    assert client.pause_queue("etl", reason="why")[0].paused_reason == "why"
    assert client.resume_queue("all")[0].paused_at is None
    assert client.stop_queue("etl") == {"etl": 1}
    assert [queue.name for queue in client.queues()] == ["etl"]
    made = client.add_schedule("weather", cron="0 5 * * *", params=CITY, reason="daily")
    assert client.schedule(made.id) == made
    assert client.edit_schedule(made.id, interval_s=60.0).cron == ""
    assert client.pause_schedule(made.id)[0].paused_at is not None
    assert client.pause_schedule(None)[0].held
    assert client.resume_schedule(None)[0].paused_at is not None
    assert client.resume_schedule(made.id)[0].paused_at is None
    job = client.run_schedule(made.id)
    assert job.schedule == made.id
    hands = Hands(here)
    hands.begin(hands.take()[0])
    assert [pool.id for pool in client.pools()] == [hands.pool]
    assert [worker.job for worker in client.workers(hands.pool)] == [job.id]
    assert [freed.job for freed in client.free(None, reason="hangs")] == [job.id]
    assert client.drain(hands.pool).state == "draining"
    client.remove_schedule(made.id)
    assert client.schedules("weather") == []


def test_errors_are_those_of_the_domain(client: Client) -> None:
    with pytest.raises(InvalidValue) as caught:
        client.create("weather", {"city": 1})
    assert caught.value.field == "params.city"
    assert str(caught.value) == 'params.city: 1 is not of type "string"'
    with pytest.raises(InvalidValue, match="status"):
        client.jobs(status="broken")
    with pytest.raises(InvalidValue, match="colour"):
        client.jobs(colour="red")
    with pytest.raises(NotFound, match="Did you mean 'weather'"):
        client.create("wether")
    with pytest.raises(WrongState, match="pending"):
        client.retry(client.create("weather", CITY).id)


def test_a_server_may_refuse_or_be_away(here: Store) -> None:
    with Served(here.address) as served:
        with Client(url=served.url, token="wrong") as stranger, pytest.raises(Unauthenticated):
            stranger.queues()
        with Client(url=f"{served.url}/x", token=TOKEN) as lost, pytest.raises(NotFound):
            lost.queues()
        url = served.url
    with Client(url=url) as late, pytest.raises(StoreUnreachable, match="does not answer"):
        late.queues()
    for wrong in ("localhost:8787", "ftp://x", "http://"):
        with pytest.raises(InvalidValue, match="url"):
            Client(url=wrong)
    with pytest.raises(InvalidValue, match="not both"):
        Client("sqlite:///x.db", url="http://localhost")


def test_a_client_creates_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="no store"):
        Client(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []
