"""Calls about schedules; `all` in the place of a number means every one."""

from datetime import datetime
from itertools import islice
from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from jobdeck.actions import schedules as actions
from jobdeck.api.flows import given
from jobdeck.api.jobs import created
from jobdeck.api.kinds import Items, Reason
from jobdeck.client import requests, shapes
from jobdeck.domain import clock, cron
from jobdeck.domain.errors import NotFound
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import schedules

_Count = Annotated[int, QueryParameter(description="How many", ge=1, le=100)]


class Ticks(Struct, frozen=True):
    """When a schedule fires next, and the cron expression in words."""

    ticks: list[datetime]
    words: str


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
    ) -> Ticks:
        """The next times at which a cron expression fires."""
        return _ticks(cron, timezone, count)

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
            cron=data.cron,
            interval_s=data.interval_s,
            timezone=data.timezone,
            params=data.params,
            vendor_type=data.vendor_type,
            vendor_id=data.vendor_id,
        )
        headers = {"Location": deck.address(f"/api/v1/schedules/{made.id}")}
        return Response(shapes.Schedule.of(made), status_code=201, headers=headers)

    @get("/{schedule_id:int}", opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck, schedule_id: FromPath[int]) -> shapes.Schedule:
        """One schedule."""
        with deck.store.read() as conn:
            return shapes.Schedule.of(schedules.get(conn, schedule_id))

    @patch("/{schedule_id:int}", opt=OPERATOR, sync_to_thread=True)
    def edit(
        self,
        deck: AtDeck,
        actor: By,
        schedule_id: FromPath[int],
        data: JSONBody[requests.ScheduleChanges],
    ) -> shapes.Schedule:
        """Change what is given."""
        changed = actions.edit(deck.store, actor, data.reason, schedule_id, given(data))
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
        """Let it (or `all`) create jobs again, from the next tick on."""
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


def _ticks(expression: str, timezone: str, count: int) -> Ticks:
    found = islice(cron.ticks(expression, timezone, clock.now()), count)
    times = [clock.to_datetime(tick) for tick in found]
    return Ticks(times, cron.describe(expression))


def one_or_all(text: str, kind: str) -> int | None:
    """The number, or None for `all`.

    Raises:
        NotFound: it is neither.
    """
    if text.lower() == actions.ALL:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise NotFound(kind, text, "Give a number, or all.")
    return int(text)
