"""New jobs are all there, in order, counted, and where they belong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Status
from jobdeck.store import counters, jobs, pipelines
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from tests.store.world import START, manifest


@pytest.fixture
def flow(store: Store) -> int:
    """The number of a flow, and of its queue."""
    with store.write() as conn:
        pipelines.register(conn, manifest("mail"), START, publish=True)
    return 1


def news() -> st.SearchStrategy[NewJob]:
    return st.builds(
        NewJob,
        flow_id=st.just(1),
        queue_id=st.just(1),
        params=st.sampled_from(["{}", '{"to":"a"}', '{"to":"\\u0000 é"}']),
        priority=st.integers(-1000, 1000),
        context=st.sampled_from(["", "dev"]),
        run_at=st.none() | st.sampled_from([START - 1, START, START + 1]),
        parent_id=st.none() | st.integers(1, 2**40),
        retry_of=st.none() | st.integers(1, 2**40),
        schedule_id=st.none() | st.integers(1, 9),
        source=st.sampled_from(["", "api"]),
        created_by=st.sampled_from(["", "ann"]),
    )


def test_jobs_are_kept_as_they_were_given(store: Store, flow: int) -> None:
    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.lists(news(), max_size=12))
    def holds(new: list[NewJob]) -> None:
        with store.read() as conn:
            before = counters.totals(conn)
        with store.write() as conn:
            ids = enqueue(conn, new, START)
        assert ids == sorted(set(ids))
        with store.read() as conn:
            found = jobs.load(conn, ids)
            after = counters.totals(conn)
        assert len(found) == len(new)
        for job, given_ in zip(found, new, strict=True):
            later = given_.run_at is not None and given_.run_at > START
            assert job.status == (Status.SCHEDULED if later else Status.PENDING)
            assert job.params == msgspec.json.decode(given_.params)
            assert (job.priority, job.context) == (given_.priority, given_.context)
            assert (job.parent, job.retry_of) == (given_.parent_id, given_.retry_of)
            assert (job.run_at, job.schedule) == (given_.run_at, given_.schedule_id)
            assert (job.source, job.created_by) == (given_.source, given_.created_by)
            assert (job.attempt, job.created_at) == (0, START)
        for status in (Status.PENDING, Status.SCHEDULED):
            added = sum(job.status == status for job in found)
            assert after[status] - before[status] == added

    holds()


def test_writers_side_by_side_lose_nothing(store: Store, flow: int) -> None:
    def many(_: int) -> list[int]:
        made = []
        for size in (1, 7, 1, 40):
            with store.write(wake=True) as conn:
                made += enqueue(conn, [NewJob(flow_id=1, queue_id=1)] * size, START)
        return made

    with ThreadPoolExecutor(4) as threads:
        ids = [job_id for made in threads.map(many, range(8)) for job_id in made]
    assert len(set(ids)) == len(ids) == 8 * 49
    with store.read() as conn:
        assert counters.totals(conn)[Status.PENDING] == len(ids)
        page = jobs.find(conn, JobFilter(status=(Status.PENDING,)), limit=500)
    assert {job.id for job in page.items} == set(ids)


def test_a_number_is_never_given_again(store: Store, flow: int) -> None:
    with store.write() as conn:
        last = enqueue(conn, [NewJob(flow_id=1, queue_id=1)] * 2, START)[-1]
    with store.write() as conn:
        conn.exec_driver_sql("DELETE FROM ready")
        conn.exec_driver_sql("DELETE FROM jobs")
    with store.write() as conn:
        assert min(enqueue(conn, [NewJob(flow_id=1, queue_id=1)] * 2, START)) > last
