"""Schedules fire each tick once and follow their definitions."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobdeck.domain.clock import SECOND, from_iso
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.states import Status
from jobdeck.store import pipelines, schedules
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from tests.store.world import START, manifest

NOW = from_iso("2026-03-28T12:00:00Z")


@pytest.fixture(autouse=True)
def mail(store: Store) -> None:
    """A flow to schedule."""
    with store.write() as conn:
        pipelines.register(conn, manifest("mail"), START, publish=True)


def create(store: Store, **rule: object) -> int:
    with store.write() as conn:
        made = schedules.create(conn, flow="mail", now=NOW, **rule)  # type: ignore[arg-type]
    return made.id


def test_a_schedule_knows_its_next_tick(store: Store) -> None:
    cron = create(store, cron="0 5 * * *", timezone="Europe/Amsterdam", params={"to": "ann"})
    every = create(store, interval_s=90.0, vendor_type="P2P", vendor_id="7")
    with store.read() as conn:
        first, second = schedules.get(conn, cron), schedules.get(conn, every)
        assert schedules.all(conn) == schedules.all(conn, "mail") == [first, second]
        assert schedules.all(conn, "other") == []
        assert schedules.next_due(conn) == second.next_at == NOW + 90 * SECOND
    # Summer time begins in that night.
    assert first.next_at == from_iso("2026-03-29T03:00:00Z")
    assert (first.params, first.timezone, first.last_status) == (
        {"to": "ann"},
        "Europe/Amsterdam",
        None,
    )
    assert (second.vendor_type, second.vendor_id, second.flow) == ("P2P", "7", "mail")


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("cron", {}),
        ("interval_s", {"cron": "* * * * *", "interval_s": 1.0}),
        ("cron", {"cron": "every day"}),
        ("cron", {"cron": "0 0 30 2 *"}),
        ("timezone", {"cron": "* * * * *", "timezone": "Mars"}),
        ("timezone", {"interval_s": 5.0, "timezone": "../etc"}),
        ("interval_s", {"interval_s": 0.0}),
        ("interval_s", {"interval_s": 0.5}),
        ("interval_s", {"interval_s": float("nan")}),
        ("end_at", {"interval_s": 60.0, "start_at": NOW + 9 * SECOND, "end_at": NOW + SECOND}),
        ("end_at", {"interval_s": 60.0, "end_at": NOW}),
        ("end_at", {"interval_s": 60.0, "end_at": NOW + 59 * SECOND}),
        ("end_at", {"cron": "0 5 * * *", "end_at": NOW + 60 * SECOND}),
        ("start_at", {"interval_s": 60.0, "start_at": from_iso("9999-01-01")}),
        ("start_at", {"interval_s": 60.0, "start_at": -1}),
        ("misfire", {"interval_s": 60.0, "misfire": "twice"}),
        ("overlap", {"interval_s": 60.0, "overlap": ""}),
        ("jitter_s", {"interval_s": 60.0, "jitter_s": -1.0}),
        ("jitter_s", {"interval_s": 60.0, "jitter_s": float("inf")}),
    ],
)
def test_what_never_fires_is_refused(store: Store, field: str, rule: dict[str, object]) -> None:
    with pytest.raises(InvalidValue) as refused:
        create(store, **rule)
    assert refused.value.field == field
    with store.read() as conn:
        assert schedules.all(conn) == []


def test_a_tick_is_fired_by_one_of_many(store: Store) -> None:
    number = create(store, interval_s=60.0)
    tick = NOW + 60 * SECOND

    def fire(_: int) -> bool:
        with store.write() as conn:
            if not schedules.claim_fire(conn, number, tick):
                return False
            [job] = enqueue(conn, [NewJob(flow_id=1, queue_id=1, schedule_id=number)], tick)
            schedules.fired(conn, number, tick, job)
            schedules.advance(conn, number, tick + 60 * SECOND)
            return True

    with store.read() as conn:
        assert schedules.due(conn, tick - 1) == []
        assert schedules.due(conn, tick) == [number]
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(fire, range(4))) == [False, False, False, True]
    with store.read() as conn:
        schedule = schedules.get(conn, number)
        assert schedules.due(conn, tick) == []
        assert conn.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 1
    assert (schedule.last_at, schedule.last_status) == (tick, Status.PENDING)
    assert (schedule.last_job, schedule.next_at) == (1, tick + 60 * SECOND)


def test_a_fire_that_fails_leaves_the_tick_to_others(store: Store) -> None:
    number = create(store, interval_s=60.0)

    def fail() -> None:
        with store.write() as conn:
            assert schedules.claim_fire(conn, number, NOW)
            raise InvalidValue("x", "y")

    with pytest.raises(InvalidValue):
        fail()
    with store.write() as conn:
        assert schedules.claim_fire(conn, number, NOW)


def test_a_paused_schedule_is_never_due(store: Store) -> None:
    number = create(store, interval_s=60.0)
    with store.write() as conn:
        assert schedules.pause(conn, number, by="ann", reason="holiday", now=NOW)
        assert not schedules.pause(conn, number, by="bob", reason="", now=NOW)
        assert schedules.due(conn, NOW + 10**12) == []
        assert schedules.next_due(conn) is None
        assert schedules.take(conn, number) is None
        assert schedules.get(conn, number).next_at is None
        edited = schedules.edit(conn, number, {"interval_s": 30.0}, NOW)
        assert (edited.next_at, edited.paused_by) == (None, "ann")
        later = NOW + 100 * SECOND
        assert schedules.resume(conn, number, later)
        assert not schedules.resume(conn, number, later)
        # A tick was missed: what becomes of it is for the misfire rule to say.
        assert schedules.get(conn, number).next_at == NOW + 30 * SECOND
        schedules.edit(conn, number, {"misfire": "skip"}, later)
        schedules.pause(conn, number, by="ann", reason="", now=later)
        schedules.resume(conn, number, later)
        assert schedules.get(conn, number).next_at == NOW + 120 * SECOND


def test_a_schedule_can_be_edited_and_removed(store: Store) -> None:
    number = create(store, interval_s=60.0)
    with store.write() as conn:
        edited = schedules.edit(conn, number, {"cron": "0 * * * *", "params": {"a": 1}}, NOW)
        assert (edited.cron, edited.interval_s, edited.params) == ("0 * * * *", None, {"a": 1})
        assert edited.next_at == from_iso("2026-03-28T13:00:00Z")
        assert schedules.edit(conn, number, {"interval_s": 5.0}, NOW).cron == ""
        for changes in ({"cron": "x"}, {"colour": 1}, {"cron": "", "interval_s": None}):
            with pytest.raises(InvalidValue):
                schedules.edit(conn, number, changes, NOW)
        with pytest.raises(NotFound):
            schedules.edit(conn, number, {"flow": "nothing"}, NOW)
        schedules.claim_fire(conn, number, NOW)
        assert schedules.trim_fires(conn, NOW) == 0
        assert schedules.trim_fires(conn, NOW + 1) == 1
        schedules.remove(conn, number)
        for call in (schedules.get, schedules.remove):
            for missing in (number, 10**30):
                with pytest.raises(NotFound):
                    call(conn, missing)


def test_declared_schedules_follow_their_definition(store: Store) -> None:
    other = create(store, interval_s=7.0)

    def declare(*rules: Mapping[str, object]) -> bool:
        made = manifest("mail", schedules=list(rules))
        with store.write() as conn:
            pipelines.register(conn, made, NOW, publish=True)
            return schedules.sync_defined(conn, made, NOW)

    daily = {"cron": "0 5 * * *", "timezone": "UTC", "misfire": "all", "jitter_s": 5.0}
    assert declare(daily, {"interval_s": 60.0})
    assert not declare(daily, {"interval_s": 60.0})
    with store.write() as conn:
        _, first, second = schedules.all(conn)
        assert (first.vendor_type, first.vendor_id) == ("definition", "mail/1")
        assert (first.misfire, first.overlap, first.jitter_s) == ("all", "allow", 5.0)
        schedules.pause(conn, first.id, by="ann", reason="", now=NOW)
    assert declare({"cron": "0 6 * * *"})
    with store.read() as conn:
        assert [schedule.id for schedule in schedules.all(conn)] == [other, first.id]
        changed = schedules.get(conn, first.id)
    assert (changed.cron, changed.paused_by, changed.next_at) == ("0 6 * * *", "ann", None)
    assert (changed.misfire, changed.jitter_s) == ("once", 0.0)
    assert second.interval_s == 60.0
    assert declare()
    with store.read() as conn:
        assert [schedule.id for schedule in schedules.all(conn)] == [other]
