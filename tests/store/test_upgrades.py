"""What an old Jobdeck wrote, a new one reads and runs; one process migrates, the others wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.states import Status
from jobdeck.store import counters, flows, jobs, migrations, pipelines, pools, queues, schema
from jobdeck.store.claims import claim
from jobdeck.store.database import Store
from tests.store import processes
from tests.stores import Cluster

_ENSURE = """
import sys
from jobdeck.store import schema
from jobdeck.store.database import Store
store = Store(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
schema.ensure(store)
print(schema.status(store).ready)
"""

MANIFEST = PipelineManifest(name="weather", steps=[StepManifest(name="load")], queue="etl")


def _row(conn: Connection, table: str, **values: object) -> None:
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    names, marks = ", ".join(values), ", ".join([mark] * len(values))
    conn.exec_driver_sql(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",
        tuple(values.values()),
    )


@pytest.fixture
def old(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of the first version, with a job that has completed and one that is pending."""
    if database == "sqlite":
        (tmp_path / "old.db").touch()
        address = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        address = cluster.create(empty=True)
    store = Store(address)
    with store.write() as conn:
        migrations.upgrade(conn, "0001")
        told = msgspec.to_builtins(MANIFEST)
        # Fields that came later.
        for name in ("memory", "coroutine", "unique", "search"):
            told.pop(name, None)
        made = {"created_at": 1, "updated_at": 1}
        _row(conn, "queues", id=1, name="etl")
        _row(
            conn, "pipelines", id=1, name="weather", current_version=1, published_version=1, **made
        )
        _row(
            conn, "versions", pipeline_id=1, version=1, fingerprint=MANIFEST.fingerprint,
            manifest=msgspec.json.encode(told).decode(), created_at=1,
        )  # fmt: skip
        _row(conn, "flows", id=1, name="weather", pipeline_id=1, queue_id=1, **made)
        job = {"flow_id": 1, "queue_id": 1, "priority": 0, "params": "{}", "created_at": 1}
        _row(conn, "jobs", id=1, status=1, attempt=1, claim=1, finished_at=2, result="7", **job)
        _row(conn, "jobs", id=2, status=0, **job)
        lane = {"queue_id": 1, "flow_id": 1}
        _row(conn, "ready", job_id=2, rank=0, attempt=1, losses=0, claim=0, **lane)
        for status in (1, 5):
            _row(conn, "counters", status=status, shard=0, n=1, **lane)
    yield store
    store.close()


def test_an_old_store_is_migrated_by_one_of_many_and_goes_on(old: Store) -> None:
    starting = [processes.start(_ENSURE, old.address) for _ in range(3)]
    for process in starting:
        assert processes.line(process) == "here"
    for process in starting:
        processes.tell(process)
    assert [processes.finish(process) for process in starting] == ["True"] * 3
    assert schema.status(old).current == schema.NEWEST
    now = clock.now()
    with old.write() as conn:
        assert jobs.get(conn, 1).result == 7
        pipeline = pipelines.get(conn, "weather")
        assert pipeline.manifest == MANIFEST
        # The same code is the same version to the new program: no pool waits for another.
        assert pipelines.register(conn, MANIFEST, now, publish=True)[1] is False
        [flow] = flows.all(conn)
        lane = queues.ids(conn)["etl"], flow.id
        pool = pools.open(conn, "host", 1, 1, [], now)
        [taken] = claim(conn, [lane], 10, pool, now)
        assert (taken.job_id, taken.attempt, taken.claim) == (2, 1, 1)
        assert jobs.get(conn, 2).status == Status.PENDING
        assert counters.lanes(conn)
