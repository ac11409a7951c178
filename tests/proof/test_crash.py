"""Whatever is killed, whenever: every job ends once, every effect is there, nothing is left."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jobdeck.domain.retry import MAX_LOSSES
from jobdeck.domain.states import Code, Reason
from jobdeck.store.database import Store
from tests.proof.crash import Load, Site, hunt, sockets, wait_until_done
from tests.stores import Cluster

PATIENCE_S = 60.0


def crash(
    url: str,
    folder: Path,
    seed: int,
    kills: int,
    *,
    starts: int,
    pause_s: float,
    load_s: float,
    restart: Callable[[], None] | None = None,
    every: int = 100,
) -> str:
    """Kill so many processes under load, let the rest finish, and look at what is there; says
    what was done."""
    site = Site(url, folder, starts=starts, workers=2)
    load = Load(url, seed, pause_s=load_s, each=8)
    began = time.monotonic()
    try:
        fallen = hunt(site, seed, kills=kills, pause_s=pause_s, restart=restart, every=every)
        took = time.monotonic() - began
        load.end()
        store = Store(url)
        wait_until_done(store, site, PATIENCE_S)
        check_work(store, load, site.marks)
        site.preys()
        assert site.end() == [0] * starts
        check_rest(store, site)
        store.close()
    except BaseException:
        for up in site.ups:
            with contextlib.suppress(ValueError):  # it has ended, and its output is gone
                sys.stderr.write(up.said()[-20_000:])
        raise
    finally:
        load.end()
        for up in site.ups:
            up.__exit__(None, None, None)
        site.clean()
    killed = sum(fallen.values())
    told = ", ".join(f"{n} {role}" for role, n in sorted(fallen.items()) if n)
    return (
        f"seed {seed}: {killed} kills in {took:.0f} s ({told}), {len(load.created)} jobs created,"
        f" {load.refused} calls refused meanwhile"
    )


def check_work(store: Store, load: Load, marks: Path) -> None:
    """Every job has one outcome, its effect, and the attempts that it was seen in."""
    effects: dict[int, set[int]] = {}
    for line in marks.read_text().splitlines():
        job, attempt = map(int, line.split())
        effects.setdefault(job, set()).add(attempt)
    with store.read() as conn:
        own = {row.id: row for row in conn.execute(text("SELECT * FROM jobs"))}
        names = dict(tuple(row) for row in conn.execute(text("SELECT id, name FROM flows")))
        past: dict[int, list[Any]] = {}
        for row in conn.execute(text("SELECT * FROM attempts ORDER BY attempt")):
            past.setdefault(row.job_id, []).append(row)
        gathered = conn.execute(text("SELECT job_id, attempt FROM steps WHERE name = 'gather'"))
        told_in = dict(tuple(row) for row in gathered)
        rows = conn.execute(
            text("SELECT status, queue_id, flow_id, sum(n) AS n FROM counters GROUP BY 1, 2, 3")
        )
        numbers = {tuple(row[:3]): int(row[3]) for row in rows if row[3]}
    assert load.created <= set(own), "jobs were lost"
    assert set(effects) <= set(own), "a job ran that nobody created"
    assert numbers == dict(Counter((row.status, row.queue_id, row.flow_id) for row in own.values()))
    for job_id, row in own.items():
        earlier = past.get(job_id, [])
        told = f"{row._asdict()}, before: {[each._asdict() for each in earlier]}"
        lost = [each for each in earlier if each.reason == Reason.WORKER_LOST]
        assert row.status in (Code.COMPLETED, Code.FAILED), told
        assert [each.attempt for each in earlier] == list(range(1, row.attempt)), told
        assert row.losses == len(lost), told
        assert max(effects.get(job_id, {1})) <= row.attempt, told
        if row.status == Code.COMPLETED:
            # Its pool may have died between the report of its last step and its own.
            assert told_in.get(job_id, row.attempt) in effects.get(job_id, ()), told
        else:
            assert (row.reason, row.losses) == (Reason.WORKER_LOST, MAX_LOSSES), told
        if names[row.flow_id] == "family" and row.status == Code.COMPLETED:
            assert row.result == "3", told


def check_rest(store: Store, site: Site) -> None:
    """No process, row, lease, socket or file is left of those that were killed."""
    assert not site.left()
    with store.read() as conn:
        for table in ("ready", "running", "delayed", "pools", "workers", "leases"):
            assert conn.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0, table
    assert not sockets(site.temp)
    files = [path for path in site.temp.rglob("*") if not path.is_dir()]
    assert not files, files


def test_killed_at_random_for_a_moment(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    url = f"sqlite:///{tmp_path / 'jobdeck.db'}"
    done = crash(url, tmp_path, 7, 10, starts=1, pause_s=0.3, load_s=0.1)
    record_property("done", done)


@pytest.mark.long
@pytest.mark.parametrize("seed", [int(os.environ.get("JOBDECK_TEST_SEED", "1"))])
def test_killed_at_random_for_long(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, seed: int
) -> None:
    kills = int(os.environ.get("JOBDECK_TEST_KILLS", "600"))
    restart = None
    url = f"sqlite:///{tmp_path / 'jobdeck.db'}"
    if database == "postgres":
        cluster: Cluster = request.getfixturevalue("cluster")
        url, restart = cluster.create(), cluster.crash
    sys.stderr.write(
        "\n"
        + crash(url, tmp_path, seed, kills, starts=2, pause_s=0.35, load_s=0.15, restart=restart)
        + "\n"
    )
