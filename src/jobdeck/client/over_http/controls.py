"""Working on a server: queues, schedules, pools and workers."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.actions.pools import Freed
from jobdeck.client import requests, shapes
from jobdeck.client.over_http.base import Items, OverHttpBase, changes_of, iso, part
from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job, Pool, Queue, Schedule, Worker


class _Stopped(Struct):
    queues: dict[str, int]


class ControlsOverHttp(OverHttpBase):
    """The part of the backend that is about queues, schedules, pools and workers."""

    def queues(self) -> list[Queue]:
        return self._all("GET", "/queues", shapes.Queue)

    def pause_queue(self, name: str, reason: str) -> list[Queue]:
        body = requests.Why(reason=reason)
        return self._all("POST", f"/queues/{part(name)}/pause", shapes.Queue, body=body)

    def resume_queue(self, name: str, reason: str) -> list[Queue]:
        body = requests.Why(reason=reason)
        return self._all("POST", f"/queues/{part(name)}/resume", shapes.Queue, body=body)

    def limit_queue(self, name: str, changes: Mapping[str, Any], reason: str) -> Queue:
        body = changes_of(requests.QueueLimits, changes, reason)
        queue: Queue = self._one("PATCH", f"/queues/{part(name)}", shapes.Queue, body=body)
        return queue

    def stop_queue(self, name: str, reason: str) -> dict[str, int]:
        path, body = f"/queues/{part(name)}/stop", requests.Why(reason=reason)
        return self.connection.call("POST", path, _Stopped, body=body, timeout_s=600).queues

    def schedules(self, flow: str) -> list[Schedule]:
        return self._all("GET", "/schedules", shapes.Schedule, query={"flow": flow})

    def schedule(self, schedule_id: int) -> Schedule:
        found: Schedule = self._one("GET", f"/schedules/{schedule_id}", shapes.Schedule)
        return found

    def add_schedule(self, flow: str, settings: Mapping[str, Any], reason: str) -> Schedule:
        values = {key: value for key, value in settings.items() if value not in (None, "")}
        body = requests.NewSchedule(flow=flow, **_written(values), reason=reason)
        made: Schedule = self._one("POST", "/schedules", shapes.Schedule, body=body)
        return made

    def edit_schedule(self, schedule_id: int, changes: Mapping[str, Any], reason: str) -> Schedule:
        body = changes_of(requests.ScheduleChanges, _written(changes), reason)
        made: Schedule = self._one("PATCH", f"/schedules/{schedule_id}", shapes.Schedule, body=body)
        return made

    def remove_schedule(self, schedule_id: int, reason: str) -> None:
        self.connection.send("DELETE", f"/schedules/{schedule_id}", query={"reason": reason})

    def pause_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        path, body = f"/schedules/{_number(schedule_id)}/pause", requests.Why(reason=reason)
        return self._all("POST", path, shapes.Schedule, body=body)

    def resume_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        path, body = f"/schedules/{_number(schedule_id)}/resume", requests.Why(reason=reason)
        return self._all("POST", path, shapes.Schedule, body=body)

    def next_ticks(self, schedule_id: int, count: int) -> list[Micros]:
        path, query = f"/schedules/{schedule_id}/next", {"count": count}
        found = self.connection.call("GET", path, shapes.Ticks, query=query)
        return [clock.from_datetime(tick) for tick in found.ticks]

    def run_schedule(self, schedule_id: int, reason: str) -> Job:
        return self._job(f"/schedules/{schedule_id}/run", requests.Why(reason=reason))

    def pools(self) -> list[Pool]:
        return self._all("GET", "/pools", shapes.Pool)

    def workers(self, pool_id: int | None) -> list[Worker]:
        return self._all("GET", f"/pools/{_number(pool_id)}/workers", shapes.Worker)

    def free(self, worker_id: int | None, reason: str) -> list[Freed]:
        path, body = f"/workers/{_number(worker_id)}/free", requests.Why(reason=reason)
        found = self.connection.call("POST", path, Items, body=body)
        return [msgspec.json.decode(item, type=Freed) for item in found.items]

    def drain(self, pool_id: int, reason: str) -> Pool:
        body = requests.Why(reason=reason)
        pool: Pool = self._one("POST", f"/pools/{pool_id}/drain", shapes.Pool, body=body)
        return pool


def _number(number: int | None) -> str:
    return "all" if number is None else str(number)


def _written(settings: Mapping[str, Any]) -> dict[str, Any]:
    """With the times of a schedule as the body has them."""
    times = {name: iso(settings[name]) for name in ("start_at", "end_at") if name in settings}
    return {**settings, **times}
