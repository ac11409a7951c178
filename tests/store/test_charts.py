"""Charts show every job that their range holds; the index of parameters finds every job."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import delete, func, select

from jobdeck.domain.clock import SECOND
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Status
from jobdeck.store import charts, jobs, listing, params, periods, pipelines
from jobdeck.store.charts import Bar, Chart
from jobdeck.store.database import Store
from jobdeck.store.tables import job_params
from tests.store.world import NOW, START, WORDS, World, build, manifest

FILTERS = (
    JobFilter(),
    JobFilter(status=(Status.FAILED, Status.RUNNING)),
    JobFilter(pipeline="etl", queue="-night"),
    JobFilter(flow="mail,report"),
    JobFilter(created_after=START + 1200 * SECOND, created_before=START + 3000 * SECOND),
    JobFilter(q="alpha"),
    JobFilter(parent=1),
)


def expected(world: World, wanted: JobFilter, chart: Chart) -> list[Bar]:
    """The bars, made from what is known of the jobs; the whole first and last ones."""
    found: dict[int, Counter[str]] = {}
    for job in world.known.values():
        place = (job.created_at - chart.start) // (chart.bar_s * SECOND)
        name = job.status.value if job.status.final else "open"
        found.setdefault(place, Counter())[name] += 1
    return [Bar(at=bar.at, **found.get(place, Counter())) for place, bar in enumerate(chart.bars)]


MORE: tuple[dict[str, str], ...] = ({}, {"flow": "etl"}, {"queue": "etl", "q": "word"})


def meant(world: World, wanted: JobFilter) -> World:
    return World({job.id: job for job in world.expected(wanted)})


def test_a_chart_of_few_jobs_is_exact(store: Store) -> None:
    world = build(store)
    for wanted in FILTERS:
        with store.read() as conn:
            chart = charts.read(conn, wanted, NOW)
        assert chart is not None
        assert (chart.searched_to, chart.left_out) == (None, 0)
        assert len(chart.bars) <= charts.BARS + 2
        fitting = meant(world, wanted)
        assert chart.bars == expected(fitting, wanted, chart)
        assert chart.total == len(fitting.known)


def test_a_chart_of_many_jobs_comes_from_the_volume(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build(store)
    monkeypatch.setattr(charts, "_few", lambda *_: False)
    for wanted in FILTERS[:4]:
        with store.read() as conn:
            chart = charts.read(conn, wanted, NOW)
        assert chart is not None
        assert chart.bar_s >= 600
        assert chart.bars == expected(meant(world, wanted), wanted, chart)
    with store.read() as conn:
        monkeypatch.setattr(charts, "ROWS", 3)
        chart = charts.read(conn, JobFilter(), NOW)
    waiting = sum(not job.status.final for job in world.known.values())
    assert chart is not None
    assert (chart.total, chart.left_out) == (len(world.known) - waiting, waiting)


def test_a_chart_that_is_searched_says_how_far(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build(store)
    monkeypatch.setattr(listing, "ROWS_MAX", 40)
    with store.read() as conn:
        chart = charts.read(conn, JobFilter(q="word"), NOW)
    assert chart is not None
    assert 0 < chart.total < len(world.known)
    assert chart.searched_to in {job.created_at for job in world.known.values()}


def test_a_chart_goes_on_where_the_list_has_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(store)
    with store.read() as conn:
        for wanted in FILTERS:
            page = jobs.find(conn, wanted, limit=5, now=NOW)
            assert charts.read(conn, wanted, NOW, page=page) == charts.read(conn, wanted, NOW)
        monkeypatch.setattr(listing, "ROWS_MAX", 40)
        nothing = JobFilter(q="there is no such text")
        page = jobs.find(conn, nothing, now=NOW)
        chart = charts.read(conn, nothing, NOW, page=page)
    assert chart is not None
    assert page.read > 0
    assert (chart.read, chart.searched_to) == (0, page.searched_to)


def test_no_jobs_make_no_chart(store: Store) -> None:
    with store.read() as conn:
        assert charts.read(conn, JobFilter(), NOW) is None
    build(store, jobs=10)
    with store.read() as conn:
        late = JobFilter(created_after=START + 10**9 * SECOND)
        assert charts.read(conn, late, NOW) is None


def test_the_index_of_parameters_finds_what_searching_does(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build(store)
    monkeypatch.setattr(params, "STEP", 50)
    with store.write() as conn:
        asking = manifest("etl", "etl", search=["word"])
        pipelines.register(conn, asking, NOW, publish=True)
        newest = periods.newest(conn)
        params.declare(conn, newest - 30)
    for _ in range(20):
        for word in WORDS:
            for more in MORE:
                wanted = JobFilter(params=(("word", word),), **more)  # type: ignore[arg-type]
                with store.read() as conn:
                    found = jobs.find(conn, wanted, limit=500)
                assert found.next is None
                assert sorted(job.id for job in found.items) == [
                    job.id for job in world.expected(wanted)
                ]
        with store.write() as conn:
            if not params.advance(conn, newest):
                break
    else:
        raise AssertionError("the index is never complete")
    with store.write() as conn:
        kept = conn.execute(select(func.count()).select_from(job_params)).scalar()
        assert kept == len(world.expected(JobFilter(pipeline="etl")))
        assert params.suggest(conn, "word", "1") == ["100%"]
        assert params.suggest(conn, "word", "") == sorted(WORDS)
        assert not params.due(conn, newest)
        pipelines.register(conn, manifest("etl", "etl"), NOW + 1, publish=True)
        params.declare(conn, newest)
        conn.execute(delete(job_params))
    with store.read() as conn:
        found = jobs.find(conn, JobFilter(params=(("word", "beta"),)), limit=500)
    assert [job.id for job in found.items] == [
        job.id for job in reversed(world.expected(JobFilter(params=(("word", "beta"),))))
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (5, "5"), (5.5, "5.5"), (True, "true"), (None, None), ([1], None), ({}, None)],
)
def test_values_as_a_filter_names_them(value: object, text: str | None) -> None:
    assert params.text_of(value) == text
