"""Calls about schedules; `all` in the place of a number means every one."""

from itertools import islice
from typing import Annotated, Any

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from jobdeck.actions import schedules as actions
from jobdeck.api.flows import given
from jobdeck.api.jobs import created
from jobdeck.api.kinds import Items, Reason
from jobdeck.client import requests, shapes
from jobdeck.domain import clock, cron, numbers
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Schedule
from jobdeck.domain.ticks import Times, jitter
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import schedules

_Count = Annotated[int, QueryParameter(description="How many", ge=1, le=100)]


class SchedulesApi(Controller):
    """`/schedules`."""

    path = "/schedules"
    tags = ("schedules",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all(self, deck: AtDeck, flow: FromQuery[str] = "") -> Items[shapes.Schedule]:
        """Every schedule, or those of one flow."""
        with deck.store.read() as conn:
            found = schedules.all(conn, flow)
        return Items([shapes.Schedule.of(schedule) for schedule in found])

    @get("/preview", opt=VIEWER, sync_to_thread=True)
    def preview(
        self, cron: FromQuery[str], timezone: FromQuery[str] = "UTC", count: _Count = 5
    ) -> shapes.Ticks:
        """The next times at which a cron expression fires."""
        now = clock.now()
        times = Times(made_at=now, cron=cron, timezone=timezone)
        times.check(now)
        return _ticks(times, now, count)

    @post(opt=OPERATOR, status_code=201, sync_to_thread=True)
    def add(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.NewSchedule]
    ) -> Response[shapes.Schedule]:
        """Let a flow run by itself: by `cron` in `timezone`, or every `interval_s`."""
        made = actions.add(
            deck.store,
            actor,
            data.reason,
            data.flow,
            **_times(given(data), ("flow",)),
        )
        headers = {"Location": deck.address(f"/api/v1/schedules/{made.id}")}
        return Response(shapes.Schedule.of(made), status_code=201, headers=headers)

    @get("/{schedule_id:int}", opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck, schedule_id: FromPath[int]) -> shapes.Schedule:
        """One schedule."""
        with deck.store.read() as conn:
            return shapes.Schedule.of(schedules.get(conn, schedule_id))

    @get("/{schedule_id:int}/next", opt=VIEWER, sync_to_thread=True)
    def next(self, deck: AtDeck, schedule_id: FromPath[int], count: _Count = 5) -> shapes.Ticks:
        """The next times at which it ticks, and at which its jobs start: later by its jitter."""
        with deck.store.read() as conn:
            found = schedules.get(conn, schedule_id)
        return _ticks(schedules.times(found), clock.now(), count, found)

    @patch("/{schedule_id:int}", opt=OPERATOR, sync_to_thread=True)
    def edit(
        self,
        deck: AtDeck,
        actor: By,
        schedule_id: FromPath[int],
        data: JSONBody[requests.ScheduleChanges],
    ) -> shapes.Schedule:
        """Change what is given."""
        changed = actions.edit(deck.store, actor, data.reason, schedule_id, _times(given(data)))
        return shapes.Schedule.of(changed)

    @delete("/{schedule_id:int}", opt=OPERATOR, sync_to_thread=True)
    def remove(
        self, deck: AtDeck, actor: By, schedule_id: FromPath[int], reason: Reason = ""
    ) -> None:
        """Take it away; the jobs that it created remain."""
        actions.remove(deck.store, actor, reason, schedule_id)

    @post("/{number:str}/pause", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def pause(
        self,
        deck: AtDeck,
        actor: By,
        number: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Items[shapes.Schedule]:
        """Let it (or `all`) create no more jobs."""
        found = actions.pause(deck.store, actor, data.reason, one_or_all(number, "schedule"))
        return Items([shapes.Schedule.of(schedule) for schedule in found])

    @post("/{number:str}/resume", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def resume(
        self,
        deck: AtDeck,
        actor: By,
        number: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Items[shapes.Schedule]:
        """Let it (or `all`) create jobs again; its `misfire` says what of the ticks meanwhile."""
        found = actions.resume(deck.store, actor, data.reason, one_or_all(number, "schedule"))
        return Items([shapes.Schedule.of(schedule) for schedule in found])

    @post("/{schedule_id:int}/run", opt=OPERATOR, status_code=202, sync_to_thread=True)
    def run(
        self,
        deck: AtDeck,
        actor: By,
        schedule_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Response[shapes.Job]:
        """Create its job now; its ticks stay as they are."""
        return created(deck, actions.run(deck.store, actor, data.reason, schedule_id))


def _ticks(times: Times, now: Micros, count: int, schedule: Schedule | None = None) -> shapes.Ticks:
    found = list(islice(times.ticks(now), count))
    starts = found
    if schedule is not None:
        starts = [tick + jitter(schedule.id, tick, schedule.jitter_s) for tick in found]
    return shapes.Ticks(
        [clock.to_datetime(tick) for tick in found],
        [clock.to_datetime(at) for at in starts],
        cron.describe(times.cron) if times.cron else "",
    )


def _times(settings: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """With the times of a schedule as the store has them."""
    made = {name: value for name, value in settings.items() if name not in without}
    for field in ("start_at", "end_at"):
        if made.get(field) is not None:
            made[field] = clock.from_iso(made[field], field)
    return made


def one_or_all(text: str, kind: str) -> int | None:
    """The number, or None for `all`.

    Raises:
        NotFound: it is neither.
    """
    if text.lower() == actions.ALL:
        return None
    number = numbers.read(text)
    if number is None:
        raise NotFound(kind, text, "Give a number, or all.")
    return number
