"""Lists of jobs give exactly what the filter means, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.filters import ANY, JobFilter, Page, Range
from jobdeck.domain.records import Job
from jobdeck.domain.states import CODES, Reason, Status
from jobdeck.store import cleanup, counters, cursors, jobs, listing, schema, volume
from jobdeck.store.database import Store
from jobdeck.store.tables import flows
from jobdeck.store.tables import volume as kept
from tests.store.world import FLOWS, NOW, START, WORDS, World, add, build

QUICK = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Filled(NamedTuple):
    store: Store
    world: World


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    """A store in which nothing changes any more."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path_factory.mktemp('filled')}/jobs.db")
        schema.ensure(store)
    else:
        store = Store(request.getfixturevalue("cluster").create())
    yield Filled(store, build(store))
    store.close()


def read_all(store: Store, wanted: JobFilter, sort: str, limit: int) -> list[Job]:
    """Every page in turn."""
    found: list[Job] = []
    cursor: str | None = None
    for _ in range(2000):
        with store.read() as conn:
            page = jobs.find(
                conn, wanted, sort=sort.split(","), limit=limit, cursor=cursor, now=NOW
            )
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


def ends(low: int, high: int, start: int) -> st.SearchStrategy[Range]:
    times = st.none() | st.integers(low, high).map(lambda s: start + s * SECOND)
    return st.tuples(times, times)


def rarely(some: st.SearchStrategy[Any], otherwise: Any = ANY) -> st.SearchStrategy[Any]:
    """One time in five; with all conditions at once nothing would be found."""
    return st.integers(0, 4).flatmap(lambda n: st.just(otherwise) if n else some)


def filters() -> st.SearchStrategy[JobFilter]:
    times = st.none() | st.integers(0, 4000).map(lambda s: START + s * SECOND)
    return st.builds(
        JobFilter,
        status=st.lists(st.sampled_from(list(Status)), max_size=3).map(tuple),
        pipeline=st.sampled_from(["", "", "", "etl", "mail", "nothing", "etl,mail", "-mail"]),
        flow=st.sampled_from(
            ["", "", "", "", *FLOWS, "nothing", "mail,report", "-etl", "-nothing"]
        ),
        queue=st.sampled_from(["", "", "", "etl", "night", "nothing", "etl,night", "-mail"]),
        created_after=times,
        created_before=times,
        q=st.sampled_from(["", "", "", *WORDS, "word", "%", "\x00"]),
        started=rarely(ends(0, 4000, START)),
        finished=rarely(ends(0, 4000, START)),
        duration=rarely(ends(0, 1, 0)),
        attempt=rarely(st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(0, 2))),
        priority=rarely(st.tuples(st.none() | st.integers(-6, 8), st.none())),
        id=rarely(st.tuples(st.none() | st.integers(0, 90), st.none() | st.integers(60, 200))),
        params=st.sampled_from([(), (), (), *((("word", word),) for word in WORDS), (("x", "y"),)]),
        reason=rarely(st.just((Reason.ERROR,)) | st.just((Reason.STOPPED, Reason.NO_ITEMS)), ()),
        error=st.sampled_from(["", "", "", "", *WORDS]),
        worker=rarely(st.integers(1, 2), None),
        pool=rarely(st.integers(1, 2), None),
        parent=st.none() | st.integers(1, 40),
        schedule=st.none() | st.none() | st.integers(1, 2),
        roots=st.booleans(),
    )


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls may read only a few rows, so that lists end and go on at every kind of place."""
    monkeypatch.setattr(listing, "ROWS_MAX", 24)
    monkeypatch.setattr(listing, "_FIRST_SLICE", 3)


def check(store: Store, world: World, wanted: JobFilter, sort: str, limit: int) -> None:
    expected = [job.id for job in world.expected(wanted)]
    if sort.startswith("-"):
        expected.reverse()
    assert [job.id for job in read_all(store, wanted, sort, limit)] == expected


def test_every_filter_gives_what_it_means(filled: Filled) -> None:
    @QUICK
    @given(filters(), st.sampled_from(["-id", "id", "created", "-created"]), st.integers(5, 60))
    def holds(wanted: JobFilter, sort: str, limit: int) -> None:
        check(filled.store, filled.world, wanted, sort, limit)

    holds()


@pytest.mark.usefixtures("few_rows")
def test_a_call_that_may_read_little_goes_on_later(filled: Filled) -> None:
    @QUICK
    @given(filters(), st.sampled_from(["-id", "id"]), st.integers(4, 9))
    def holds(wanted: JobFilter, sort: str, limit: int) -> None:
        check(filled.store, filled.world, wanted, sort, limit)

    holds()


def test_jobs_are_told_as_they_stand(filled: Filled) -> None:
    for known in filled.world.known.values():
        with filled.store.read() as conn:
            job = jobs.get(conn, known.id)
            assert jobs.statuses(conn, [known.id]) == {known.id: known.status}
        pipeline, queue = FLOWS[known.flow]
        assert (job.flow, job.pipeline, job.queue) == (known.flow, pipeline, queue)
        assert (job.status, job.priority) == (known.status, known.priority)
        assert (job.created_at, job.started_at) == (known.created_at, known.started_at)
        assert (job.finished_at, job.parent) == (known.finished_at, known.parent)
        assert job.params == {"word": known.text}
    with filled.store.read() as conn, pytest.raises(NotFound):
        jobs.get(conn, 10**30)


def test_open_jobs_stand_in_one_place(filled: Filled) -> None:
    places = {
        Status.PENDING: {"ready", "running"},
        Status.RUNNING: {"running"},
        Status.SCHEDULED: {"delayed"},
        Status.RETRYING: {"delayed"},
    }
    with filled.store.read() as conn:
        for known in filled.world.known.values():
            lane = jobs.lane_of(conn, known.id)
            assert ({lane.place} if lane else set()) <= places.get(known.status, set())
            assert (lane is None) == (known.status not in places)
            assert lane is None or lane.rank == -known.priority
        assert jobs.lane_of(conn, 10**9) is None


def test_counters_equal_the_rows(filled: Filled) -> None:
    with filled.store.read() as conn:
        totals = counters.totals(conn)
        by_flow = {
            name: counters.totals(conn, flow_id=flow_id)
            for flow_id, name in enumerate(FLOWS, start=1)
            if flow_id
        }
    for status in Status:
        assert totals[status] == sum(job.status == status for job in filled.world.known.values())
    assert sum(sum(numbers.values()) for numbers in by_flow.values()) == len(filled.world.known)


def test_the_volume_equals_the_rows(filled: Filled) -> None:
    ended = [job for job in filled.world.known.values() if job.status.final]
    for span in volume.SPANS:
        expected = Counter(
            (
                job.created_at // (span * SECOND) * span * SECOND,
                int(CODES[job.status]),
                list(FLOWS).index(job.flow),
            )
            for job in ended
        )
        v = kept.c
        query = select(v.at, v.status, flows.c.name, func.sum(v.n)).join(
            flows, flows.c.id == v.flow_id
        )
        query = query.where(v.span == span).group_by(v.at, v.status, flows.c.name)
        with filled.store.read() as conn:
            found = {
                (at, status, list(FLOWS).index(flow)): n
                for at, status, flow, n in conn.execute(query)
                if n
            }
        assert found == expected


def test_what_is_deleted_leaves_the_volume(store: Store) -> None:
    world = build(store, jobs=80)
    ended = [job.id for job in world.known.values() if job.status.final]
    with store.write() as conn:
        gone = cleanup.delete_jobs(conn, ended).job_ids
        left = conn.execute(select(func.sum(kept.c.n))).scalar()
    assert gone
    assert left == len(volume.SPANS) * (len(ended) - len(gone))


def test_only_the_shortest_stretches_are_forgotten(store: Store) -> None:
    build(store, jobs=40)
    v = kept.c
    with store.write() as conn:
        assert not volume.trim(conn, START)
        before = conn.execute(select(func.count()).where(v.span == 600)).scalar()
        assert before
        assert not volume.trim(conn, START + 10 * 86_400 * SECOND)
        assert conn.execute(select(func.count()).where(v.span == 600)).scalar() == 0
        assert conn.execute(select(func.count()).where(v.span == 3600)).scalar()


def test_children_are_counted_by_status(filled: Filled) -> None:
    with filled.store.read() as conn:
        counts = jobs.children_counts(conn, list(filled.world.known))
    expected: dict[int, dict[Status, int]] = {}
    for job in filled.world.known.values():
        if job.parent is not None:
            of_parent = expected.setdefault(job.parent, dict.fromkeys(Status, 0))
            of_parent[job.status] += 1
    assert counts == expected


@pytest.mark.parametrize("sort", ["started", "-finished", "-duration", "priority,-id", "status"])
def test_few_jobs_can_be_sorted_by_anything(filled: Filled, sort: str) -> None:
    found = read_all(filled.store, JobFilter(pipeline="etl"), sort, 7)
    assert len(found) == len(filled.world.expected(JobFilter(pipeline="etl")))
    assert len({job.id for job in found}) == len(found)
    name = sort.partition(",")[0].lstrip("-")

    def value(job: Job) -> float | None:
        if name == "status":
            return list(Status).index(job.status)
        if name == "duration":
            return None if job.status == Status.RUNNING else job.duration_s(0)
        number: float | None = getattr(job, {"started": "started_at"}.get(name, name), None)
        return job.finished_at if name == "finished" else number

    values = [number for number in map(value, found) if number is not None]
    assert values == sorted(values, reverse=sort.startswith("-"))


def test_of_many_jobs_the_newest_are_sorted_first(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobdeck.store import sorting

    monkeypatch.setattr(sorting, "WINDOW", 50)
    with filled.store.read() as conn:
        first = jobs.find(conn, JobFilter(), sort=["-priority", "id"], limit=40, now=NOW)
    newest = sorted(filled.world.known.values(), key=lambda job: -job.id)[:50]
    assert first.searched_to == min(job.created_at for job in newest)
    expected = sorted(newest, key=lambda job: (-job.priority, job.id))
    assert [job.id for job in first.items] == [job.id for job in expected[:40]]
    every = read_all(filled.store, JobFilter(), "-priority,id", 40)
    assert [job.id for job in every[:50]] == [job.id for job in expected]
    assert sorted(job.id for job in every) == sorted(filled.world.known)


@pytest.mark.parametrize("sort", ["-id", "id", "-priority,id", "duration"])
@pytest.mark.parametrize("wanted", [JobFilter(), JobFilter(q="alpha"), JobFilter(flow="mail")])
def test_pages_lead_back(filled: Filled, sort: str, wanted: JobFilter) -> None:
    pages: list[list[int]] = []
    with filled.store.read() as conn:

        def read(cursor: str | None) -> Page[Job]:
            return jobs.find(conn, wanted, sort=sort.split(","), limit=9, cursor=cursor, now=NOW)

        page = read(None)
        assert page.prev is None
        while page.next:
            pages.append([job.id for job in page.items])
            page = read(page.next)
        while pages:
            assert page.prev is not None
            page = read(page.prev)
            assert [job.id for job in page.items] == pages.pop()
        assert page.prev is None


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(),
        JobFilter(status=(Status.FAILED,), pipeline="etl,mail", queue="-night"),
        JobFilter(q="alpha"),
        JobFilter(flow="mail", created_after=START + 900 * SECOND),
        JobFilter(params=(("word", "beta"),)),
        JobFilter(status=(Status.RUNNING, Status.PENDING)),
    ],
)
def test_counts_are_honest(
    filled: Filled, wanted: JobFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = len(filled.world.expected(wanted))
    with filled.store.read() as conn:
        assert listing.count(conn, wanted, NOW) == listing.Counted(expected)
        monkeypatch.setattr(listing, "ROWS_MAX", 40)
        some = listing.count(conn, wanted, NOW)
    assert some.n == expected if some.exact else some.n < expected


@pytest.mark.parametrize("sort", ["-id", "id", "priority,id"])
def test_pages_hold_still_while_jobs_are_added(store: Store, sort: str) -> None:
    build(store)
    before = [job.id for job in read_all(store, JobFilter(), sort, 50)]
    with store.read() as conn:
        first = jobs.find(conn, JobFilter(), sort=sort.split(","), limit=50)
    added = set(add(store, seed=2, jobs=30).known)
    rest: list[int] = []
    cursor = first.next
    while cursor is not None:
        with store.read() as conn:
            page = jobs.find(conn, JobFilter(), sort=sort.split(","), limit=50, cursor=cursor)
        rest += [job.id for job in page.items]
        cursor = page.next
    seen = [job.id for job in first.items] + rest
    assert [job_id for job_id in seen if job_id not in added] == before


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "é", "WyItaWQiLFsxXV0=", "W10", "WyItaWQiLFsiYSJdXQ", "x" * 9999]
)
def test_a_bad_cursor_is_refused(filled: Filled, cursor: str) -> None:
    if cursor == "WyItaWQiLFsxXV0=":
        cursor = cursors.write("-id", [10**30])
    with filled.store.read() as conn, pytest.raises(InvalidValue, match="cursor: "):
        jobs.find(conn, JobFilter(), cursor=cursor)


def test_a_cursor_of_another_order_is_refused(filled: Filled) -> None:
    with filled.store.read() as conn:
        cursor = jobs.find(conn, JobFilter(), limit=1).next
        with pytest.raises(InvalidValue, match="sorted by -id, not by id"):
            jobs.find(conn, JobFilter(), sort=["id"], cursor=cursor)


@pytest.mark.parametrize(
    ("field", "arguments"),
    [("sort", {"sort": ["size"]}), ("limit", {"limit": 0}), ("limit", {"limit": 501})],
)
def test_what_cannot_be_is_refused(
    filled: Filled, field: str, arguments: dict[str, object]
) -> None:
    with filled.store.read() as conn, pytest.raises(InvalidValue) as refused:
        jobs.find(conn, JobFilter(), **arguments)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_a_search_says_how_far_it_has_looked(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "ROWS_MAX", 40)
    with filled.store.read() as conn:
        page = jobs.find(conn, JobFilter(q="there is no such word"), limit=5)
    looked_at = 40 if filled.store.sqlite else round(40 * listing.POSTGRES_PART)
    newest = sorted(filled.world.known, reverse=True)[:looked_at]
    assert page.items == []
    assert page.next is not None
    assert page.searched_to == filled.world.known[newest[-1]].created_at
