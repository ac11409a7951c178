"""Failures that are the same error stand together and are counted rightly."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import ErrorGroup, JobError
from jobdeck.domain.states import Code, Reason
from jobdeck.store import cleanup, error_groups, flows, jobs, pipelines, stops, triggered
from jobdeck.store.claims import READY, Begun, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.tables import error_flows, error_hours
from tests.store.world import START, manifest

HOUR = error_groups.HOUR
NOON = START // HOUR * HOUR


@pytest.fixture
def failing(store: Store) -> Store:
    with store.write() as conn:
        for name in ("mail", "etl"):
            pipelines.register(conn, manifest(name), START, publish=True)
    return store


def fail(
    store: Store,
    *messages: str | None,
    at: Micros = NOON,
    flow: str = "mail",
    code: Code = Code.FAILED,
    kind: str = "ValueError",
) -> list[int]:
    """Jobs that end with these messages, in one transaction; None: without an exception."""
    with store.write() as conn:
        target = flows.target(conn, flow)
        new = [NewJob(flow_id=target.flow_id, queue_id=target.queue_id) for _ in messages]
        enqueue(conn, new, at - SECOND)
    return work(store, *messages, at=at, code=code, kind=kind)


def work(
    store: Store,
    *messages: str | None,
    at: Micros = NOON,
    code: Code = Code.FAILED,
    kind: str = "ValueError",
) -> list[int]:
    """End what is pending that way."""
    with store.write() as conn:
        lanes = [(1, flow.id) for flow in flows.all(conn)]
        taken = claim(conn, lanes, len(messages), 1, at)
        begin(conn, [Begun(t.job_id, t.claim, 1, at, t.queue_id, t.flow_id) for t in taken])
        endings = []
        for row, message in zip(taken, messages, strict=True):
            error = JobError(type=kind, message=message, step="s") if message else None
            failed = code == Code.FAILED
            endings.append(
                Ending(
                    **{name: getattr(row, name) for name in READY},
                    code=code,
                    shown=True,
                    began=True,
                    started_at=at,
                    finished_at=at,
                    reason=(Reason.ERROR if error else Reason.TIMEOUT).value if failed else None,
                    message=None if error else "ran longer than its 30 s",
                    error=msgspec.json.encode(error).decode() if error and failed else None,
                )
            )
        assert len(finish(conn, endings)) == len(messages)
    return [row.job_id for row in taken]


def groups(store: Store, now: Micros = NOON, **wanted: str) -> list[ErrorGroup]:
    with store.read() as conn:
        return error_groups.find(conn, now=now, **wanted).items  # type: ignore[arg-type]


def test_alike_failures_are_one_group(failing: Store) -> None:
    fail(failing, "row 1 is bad", "row 2 is bad", "no luck")
    later = fail(failing, "row 33 is bad", at=NOON + HOUR, flow="etl")
    bad, luck = groups(failing, NOON + HOUR)
    assert (bad.message, bad.failures, bad.jobs) == ("row <n> is bad", 3, 3)
    assert (bad.first_at, bad.last_at) == (NOON, NOON + HOUR)
    assert (bad.example, bad.last_job) == ("row 33 is bad", later[0])
    assert bad.flows == ["mail", "etl"]
    assert (bad.hours[-2:], len(bad.hours)) == ([2, 1], 24)
    assert (luck.failures, luck.place, luck.flows) == (1, "step s", ["mail"])


def test_only_failures_for_good_count(failing: Store) -> None:
    fail(failing, "well", code=Code.COMPLETED)
    (waiting,) = fail(failing, "again", code=Code.STOPPED)
    assert groups(failing) == []
    with failing.write() as conn:
        assert error_groups.of_job(conn, waiting) is None


def test_what_is_no_exception_is_gathered_by_flow(failing: Store) -> None:
    fail(failing, None)
    fail(failing, None, flow="etl")
    assert [(g.type, g.place) for g in groups(failing)] == [
        ("timeout", "flow etl"),
        ("timeout", "flow mail"),
    ]


def test_what_fails_without_a_pool_counts(failing: Store) -> None:
    with failing.write() as conn:
        target = flows.target(conn, "mail")
        new = NewJob(flow_id=target.flow_id, queue_id=target.queue_id)
        drafted = triggered.Draft(new, Reason.INVALID_CONFIG, "params.city: is missing")
        (refused,) = triggered.create(conn, drafted, [new], NOON)
        enqueue(conn, [new], NOON)
        (taken,) = claim(conn, [(1, target.flow_id)], 1, 1, NOON)
        begin(conn, [Begun(taken.job_id, taken.claim, 1, NOON, 1, target.flow_id)])
        assert stops.force(
            conn, taken.job_id, code=Code.FAILED, reason=Reason.FORCED, message="hangs", now=NOON
        )
    found = {group.type: group.last_job for group in groups(failing)}
    assert found == {"invalid config": refused, "forced": taken.job_id}


def test_retrying_and_deleting_take_jobs_out(failing: Store) -> None:
    first, second, third = fail(failing, "row 1", "row 2", "row 3")
    with failing.write() as conn:
        assert stops.reopen(conn, first, now=NOON)
        assert cleanup.delete_jobs(conn, [second]).job_ids == [second]
    (group,) = groups(failing)
    assert (group.failures, group.jobs, group.hours[-1]) == (2, 1, 2)
    work(failing, "row 1")
    (group,) = groups(failing)
    assert (group.failures, group.jobs, group.last_job) == (3, 2, first)
    with failing.write() as conn:
        cleanup.delete_jobs(conn, [first, third])
    (group,) = groups(failing)
    assert (group.failures, group.jobs) == (1, 0)


def test_a_group_without_failures_is_gone(failing: Store) -> None:
    gone = fail(failing, "row 1", "row 2")
    (group,) = groups(failing)
    with failing.write() as conn:
        cleanup.delete_jobs(conn, gone)
        assert conn.execute(select(error_hours)).first() is None
        assert conn.execute(select(error_flows)).first() is None
        with pytest.raises(NotFound):
            error_groups.get(conn, group.id, NOON)


def test_a_resolved_one_is_opened_by_its_next_failure(failing: Store) -> None:
    fail(failing, "row 1")
    (group,) = groups(failing)
    with failing.write() as conn:
        assert error_groups.resolve(conn, group.id, by="ana", why="fixed", now=NOON)
        assert not error_groups.resolve(conn, group.id, by="bob", why="", now=NOON)
    assert [g.state for g in groups(failing, state="resolved")] == ["resolved"]
    assert groups(failing, state="open") == []
    fail(failing, "row 2", at=NOON + 5)
    (group,) = groups(failing, state="open")
    assert (group.state, group.reopened_at, group.resolved_by) == ("reopened", NOON + 5, "ana")
    with failing.write() as conn:
        assert not error_groups.reopen(conn, group.id, NOON)
        assert error_groups.resolve(conn, group.id, by="ana", why="", now=NOON + 6)
        assert error_groups.reopen(conn, group.id, NOON + 7)


def test_a_muted_one_counts_on_but_is_not_open(failing: Store) -> None:
    (first,) = fail(failing, "row 1")
    (other,) = fail(failing, "other", at=NOON + 1)
    _, group = groups(failing)
    with failing.write() as conn:
        assert error_groups.mute(conn, group.id, by="ana", why="known", now=NOON)
        assert not error_groups.mute(conn, group.id, by="bob", why="", now=NOON)
    (second,) = fail(failing, "row 2", at=NOON + 5)
    (muted,) = groups(failing, state="muted")
    assert (muted.state, muted.failures, muted.muted_by) == ("muted", 2, "ana")
    assert [g.example for g in groups(failing, state="open")] == ["other"]
    assert len(groups(failing)) == 2
    with failing.write() as conn:
        assert error_groups.muted(conn, [first, other, second]) == {first, second}
        assert error_groups.unmute(conn, group.id)
        assert not error_groups.unmute(conn, group.id)
        assert error_groups.mute(conn, group.id, by="ana", why="", now=NOON)
        assert error_groups.resolve(conn, group.id, by="ana", why="", now=NOON)
        assert not error_groups.mute(conn, group.id, by="ana", why="", now=NOON)
        assert error_groups.get(conn, group.id, NOON).state == "resolved"


def test_the_list_is_narrowed_and_paged(failing: Store) -> None:
    kinds = ("Aa", "Bb", "Cc", "Dd", "Ee")
    for number, kind in enumerate(kinds):
        fail(failing, "x", at=NOON + number // 2, kind=kind, flow=("mail", "etl")[number % 2])
    seen: list[str] = []
    cursor = None
    while True:
        with failing.read() as conn:
            page = error_groups.find(conn, now=NOON, limit=2, cursor=cursor)
        seen += [group.type for group in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == ["Ee", "Dd", "Cc", "Bb", "Aa"]
    assert [g.type for g in groups(failing, flow="etl")] == ["Dd", "Bb"]
    assert [g.type for g in groups(failing, q="c")] == ["Cc"]
    assert groups(failing, q="%") == []
    with pytest.raises(InvalidValue):
        groups(failing, state="odd")
    with pytest.raises(InvalidValue):
        groups(failing, sort="odd")


def test_the_list_is_sorted_by_what_counts(failing: Store) -> None:
    for number, (kind, count) in enumerate((("Aa", 2), ("Bb", 3), ("Cc", 1))):
        fail(failing, *["x"] * count, at=NOON + number, kind=kind)

    def paged(sort: str) -> list[str]:
        seen: list[str] = []
        cursor = None
        with failing.read() as conn:
            while True:
                page = error_groups.find(conn, now=NOON, sort=sort, limit=2, cursor=cursor)
                seen += [group.type for group in page.items]
                cursor = page.next
                if cursor is None:
                    return seen

    assert paged("-failures") == ["Bb", "Aa", "Cc"]
    assert paged("jobs") == ["Cc", "Aa", "Bb"]
    assert paged("-first") == ["Cc", "Bb", "Aa"]
    assert paged("last") == ["Aa", "Bb", "Cc"]


def test_its_jobs_can_be_listed(failing: Store) -> None:
    bad = fail(failing, "row 1", "row 2")
    bad += fail(failing, "row 3", flow="etl")
    fail(failing, "else")
    with failing.read() as conn:
        group = error_groups.of_job(conn, bad[0])
        assert group is not None

        def listed(**more: object) -> list[int]:
            wanted = msgspec.structs.replace(JobFilter(error_group=group), **more)
            return [job.id for job in jobs.find(conn, wanted, sort=("id",)).items]

        assert listed() == bad
        assert listed(flow="etl") == bad[2:]
        assert listed(status=("completed",)) == []
        assert listed(queue="default", q="row 2") == [bad[1]]
        assert error_groups.standing(conn, group, limit=2) == bad[:2]
        assert error_groups.standing(conn, 99, limit=2) == []


def test_old_ones_are_forgotten(failing: Store) -> None:
    (kept,) = fail(failing, "kept")
    (tried,) = fail(failing, "tried again")
    with failing.write() as conn:
        assert stops.reopen(conn, tried, now=NOON)
        assert error_groups.trim(conn, NOON + 100 * 24 * HOUR, 90 * 24 * HOUR) == 1
        assert conn.execute(select(error_hours)).first() is None
    assert [group.last_job for group in groups(failing)] == [kept]


def test_messages_of_all_sorts_are_kept(failing: Store) -> None:
    fail(failing, "a \x00 b " + "x" * 5000)
    (group,) = groups(failing)
    assert len(group.example) <= 1000
    assert "\x00" not in group.example + group.message
