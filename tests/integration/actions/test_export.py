"""Writing jobs into a file by a job, on both databases."""

from __future__ import annotations

import csv
import json
import threading

import pytest

from jobdeck.actions import export as actions
from jobdeck.domain.errors import Forbidden, InvalidValue
from jobdeck.domain.filters import JobFilter
from jobdeck.engine.chores import export as chore
from jobdeck.store import files
from jobdeck.store.database import Store
from tests.integration.actions.test_bulk import at_work, create, ended, get, go_on, until
from tests.integration.hands import ANA, EVE, define

__all__ = ["go_on"]


@pytest.fixture(autouse=True)
def _pipeline(store: Store) -> None:
    define(store)


def test_all_that_a_filter_means(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chore, "PAGE", 7)
    ids = create(store, 30, params='{"city": "Gouda"}')
    job = actions.start(store, ANA, "", wanted=JobFilter(flow="weather"), text="flow:weather")
    create(store, 1)
    with at_work(store):
        job = ended(store, job.id)
    name = f"jobs-{job.id}.csv"
    assert (job.queue, job.status, job.message) == ("EXPORT", "completed", f"30 jobs in {name}")
    with store.read() as conn:
        (kept,) = files.of_job(conn, job.id)
    path = store.files / kept.path
    assert (kept.name, kept.size) == (name, path.stat().st_size)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == ids
    assert rows[0]["params"] == '{"city":"Gouda"}'


def test_some_jobs_as_json(store: Store) -> None:
    ids = create(store, 3)
    job = actions.start(store, ANA, "", format_="jsonl", ids=[ids[2], ids[0], 999])
    with at_work(store):
        job = ended(store, job.id)
    lines = (store.files / str(job.id) / job.result["file"]).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [ids[0], ids[2]]


def test_goes_on_where_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    monkeypatch.setattr(chore, "PAGE", 2)
    ids = create(store, 200)
    job = actions.start(store, ANA, "", wanted=JobFilter(flow="weather"))
    with at_work(store):
        until(lambda: (p := get(store, job.id).progress) and p.done, "progress")
    assert get(store, job.id).status == "pending"
    go_on.set()
    (part,) = (store.files / str(job.id)).iterdir()
    with part.open("a") as file:
        file.write("half a li")
    with at_work(store):
        job = ended(store, job.id)
    with (store.files / str(job.id) / job.result["file"]).open(newline="") as file:
        assert [int(row["id"]) for row in csv.DictReader(file)] == ids


def test_refuses(store: Store) -> None:
    with pytest.raises(Forbidden):
        actions.start(store, EVE, "", wanted=JobFilter())
    with pytest.raises(InvalidValue):
        actions.start(store, ANA, "", format_="xls", wanted=JobFilter())
    with pytest.raises(InvalidValue):
        actions.start(store, ANA, "", ids=[])
