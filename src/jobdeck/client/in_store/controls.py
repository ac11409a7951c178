"""Working on a store: queues, schedules, pools and workers."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Mapping
from itertools import islice
from typing import Any

from jobdeck.actions import pools as pool_actions
from jobdeck.actions import queues as queue_actions
from jobdeck.actions import schedules as schedule_actions
from jobdeck.actions.pools import Freed
from jobdeck.client.in_store.base import InStoreBase
from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job, Pool, Queue, Schedule, Worker
from jobdeck.store import pools, queues, schedules


class ControlsInStore(InStoreBase):
    """The part of the backend that is about queues, schedules, pools and workers."""

    def queues(self) -> list[Queue]:
        with self.store.read() as conn:
            return queues.all(conn, clock.now())

    def pause_queue(self, name: str, reason: str) -> list[Queue]:
        return queue_actions.pause(self.store, self.actor, reason, name)

    def resume_queue(self, name: str, reason: str) -> list[Queue]:
        return queue_actions.resume(self.store, self.actor, reason, name)

    def limit_queue(self, name: str, changes: Mapping[str, Any], reason: str) -> Queue:
        return queue_actions.limit(self.store, self.actor, reason, name, changes)

    def stop_queue(self, name: str, reason: str) -> dict[str, int]:
        return queue_actions.stop(self.store, self.actor, reason, name).queues

    def schedules(self, flow: str) -> list[Schedule]:
        with self.store.read() as conn:
            return schedules.all(conn, flow)

    def schedule(self, schedule_id: int) -> Schedule:
        with self.store.read() as conn:
            return schedules.get(conn, schedule_id)

    def add_schedule(self, flow: str, settings: Mapping[str, Any], reason: str) -> Schedule:
        return schedule_actions.add(self.store, self.actor, reason, flow, **settings)

    def edit_schedule(self, schedule_id: int, changes: Mapping[str, Any], reason: str) -> Schedule:
        return schedule_actions.edit(self.store, self.actor, reason, schedule_id, dict(changes))

    def remove_schedule(self, schedule_id: int, reason: str) -> None:
        schedule_actions.remove(self.store, self.actor, reason, schedule_id)

    def pause_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        return schedule_actions.pause(self.store, self.actor, reason, schedule_id)

    def resume_schedule(self, schedule_id: int | None, reason: str) -> list[Schedule]:
        return schedule_actions.resume(self.store, self.actor, reason, schedule_id)

    def next_ticks(self, schedule_id: int, count: int) -> list[Micros]:
        with self.store.read() as conn:
            times = schedules.times(schedules.get(conn, schedule_id))
        return list(islice(times.ticks(clock.now()), count))

    def run_schedule(self, schedule_id: int, reason: str) -> Job:
        return schedule_actions.run(self.store, self.actor, reason, schedule_id)

    def pools(self) -> list[Pool]:
        with self.store.read() as conn:
            return pools.all(conn)

    def workers(self, pool_id: int | None) -> list[Worker]:
        with self.store.read() as conn:
            return pools.list_workers(conn, pool_id)

    def free(self, worker_id: int | None, reason: str) -> list[Freed]:
        return pool_actions.free(self.store, self.actor, reason, worker_id)

    def drain(self, pool_id: int, reason: str) -> Pool:
        return pool_actions.drain(self.store, self.actor, reason, pool_id)
