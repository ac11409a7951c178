"""What a client does with queues, schedules, pools and workers."""

from typing import Any

from jobdeck.actions.pools import Freed
from jobdeck.client.backend import Backend
from jobdeck.client.conditions import schedule_times
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job, Pool, Queue, Schedule, Worker


class Controls:
    """The part of `Client` that is about queues, schedules, pools and workers."""

    _backend: Backend

    def queues(self) -> list[Queue]:
        """Every queue by name, with what is in it."""
        return self._backend.queues()

    def pause_queue(self, name: str, *, reason: str = "") -> list[Queue]:
        """Hand out no more jobs of that queue (or of `all`); no status changes."""
        return self._backend.pause_queue(name, reason)

    def resume_queue(self, name: str, *, reason: str = "") -> list[Queue]:
        """Hand out jobs of that queue (or of `all`) again."""
        return self._backend.resume_queue(name, reason)

    def limit_queue(self, name: str, *, reason: str = "", **changes: Any) -> Queue:
        """Limit how many jobs of the queue run at once (`max_running`), and at which `rate` they
        start, such as 10/s; None takes a limit away."""
        return self._backend.limit_queue(name, changes, reason)

    def stop_queue(self, name: str, *, reason: str = "") -> dict[str, int]:
        """Stop what is pending in that queue (or in `all`); gives the number in each."""
        return self._backend.stop_queue(name, reason)

    def schedules(self, flow: str = "") -> list[Schedule]:
        """Every schedule, or those of one flow."""
        return self._backend.schedules(flow)

    def schedule(self, schedule_id: int) -> Schedule:
        """The schedule of that number."""
        return self._backend.schedule(schedule_id)

    def add_schedule(self, flow: str, *, reason: str = "", **settings: Any) -> Schedule:
        """Let a flow run by itself; `settings` are cron or interval_s, timezone, start_at, end_at,
        jitter_s, misfire, overlap, params, vendor_type and vendor_id."""
        return self._backend.add_schedule(flow, schedule_times(settings), reason)

    def edit_schedule(self, schedule_id: int, *, reason: str = "", **changes: Any) -> Schedule:
        """Change some of a schedule's settings."""
        return self._backend.edit_schedule(schedule_id, schedule_times(changes), reason)

    def remove_schedule(self, schedule_id: int, *, reason: str = "") -> None:
        """Take a schedule away; the jobs that it created remain."""
        self._backend.remove_schedule(schedule_id, reason)

    def pause_schedule(self, schedule_id: int | None, *, reason: str = "") -> list[Schedule]:
        """Let that schedule (None: every one) create no more jobs."""
        return self._backend.pause_schedule(schedule_id, reason)

    def resume_schedule(self, schedule_id: int | None, *, reason: str = "") -> list[Schedule]:
        """Let that schedule (None: every one) create jobs again."""
        return self._backend.resume_schedule(schedule_id, reason)

    def next_ticks(self, schedule_id: int, count: int = 5) -> list[Micros]:
        """The next times at which the schedule ticks; fewer, if it ends before."""
        return self._backend.next_ticks(schedule_id, count)

    def run_schedule(self, schedule_id: int, *, reason: str = "") -> Job:
        """Create the schedule's job now; its ticks stay as they are."""
        return self._backend.run_schedule(schedule_id, reason)

    def pools(self) -> list[Pool]:
        """Every pool."""
        return self._backend.pools()

    def workers(self, pool_id: int | None = None) -> list[Worker]:
        """The workers of a pool, or of all."""
        return self._backend.workers(pool_id)

    def free(self, worker_id: int | None, *, reason: str = "") -> list[Freed]:
        """Stop the job that the worker (None: every busy one) runs; each has its outcome."""
        return self._backend.free(worker_id, reason)

    def drain(self, pool_id: int, *, reason: str = "") -> Pool:
        """Let a pool take no more jobs and finish what it runs; its process stays."""
        return self._backend.drain(pool_id, reason)
