"""The latest runs of flows."""

from __future__ import annotations

from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import FINAL
from jobdeck.store import flows, jobs, pipelines, recent
from jobdeck.store.database import Store
from tests.store.world import build, manifest


def test_they_are_the_newest_that_have_ended(store: Store) -> None:
    build(store, jobs=80)
    with store.read() as conn:
        known = flows.all(conn)
        found = recent.runs(conn, [flow.id for flow in known], limit=4)
        together = recent.merged(found, limit=6)
        for flow in known:
            ended = jobs.find(conn, JobFilter(flow=flow.name, status=tuple(FINAL)), limit=4).items
            assert [(run.job, run.status, run.took_s) for run in found[flow.id]] == [
                (job.id, job.status, job.duration_s(0)) for job in ended
            ]
        newest = jobs.find(conn, JobFilter(status=tuple(FINAL)), limit=6).items
        assert [run.job for run in together] == [job.id for job in newest]


def test_versions_are_listed_newest_first(store: Store) -> None:
    made = [manifest("mail", code_hash=code) for code in "abc"]
    for number, each in enumerate(made):
        with store.write() as conn:
            pipelines.register(conn, each, 1000 + number, publish=False)
    with store.read() as conn:
        listed = pipelines.all_versions(conn, pipelines.get(conn, "mail").id)
    assert [each.version for each in listed] == [3, 2, 1]
    assert [each.fingerprint for each in listed] == [each.fingerprint for each in made[::-1]]
    assert [each.created_at for each in listed] == [1002, 1001, 1000]
