"""A job in the hands of a worker, as its pool sees it."""

from typing import Any

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.states import Code, Reason
from jobdeck.engine.catalogue import FlowConfig
from jobdeck.store.claims import Claimed
from jobdeck.store.outcomes import Ending
from jobdeck.worker.protocol import Outcome


class Handed:
    """`number` counts the jobs of its worker in the order in which they were sent; `cost` is the
    part of a batch that it takes up; it `shares` its worker if it may run beside others; `shown`
    tells that everybody sees it running; `stopping` is why it is to stop, and at `kill_at` it
    must have."""

    # Defaults of the class, since most jobs end before any of them is set.
    shares = False
    pool_id = 0
    worker_id = 0
    number = 0
    shown = False
    recalled = False
    began_at: Micros | None = None
    first_began_at: Micros | None = None
    stopping = ""
    stop_by = ""
    stop_reason = ""
    deadline: Micros | None = None
    step_deadline: Micros | None = None
    kill_at: Micros | None = None
    output_lines = 0
    peak_kb: int | None = None

    def __init__(self, claimed: Claimed, flow: FlowConfig, cost: float = 1.0) -> None:
        self.claimed = claimed
        self.flow = flow
        self.cost = cost

    @property
    def key(self) -> tuple[int, int]:
        """Job and claim."""
        return self.claimed.job_id, self.claimed.claim

    def next_deadline(self) -> Micros | None:
        """The time at which something must be done about it, if there is one."""
        times = [t for t in (self.deadline, self.step_deadline, self.kill_at) if t is not None]
        return min(times) if times else None

    def move(self, by: Micros) -> None:
        """The clock was set by so much: its times move along."""
        for name in ("began_at", "deadline", "step_deadline", "kill_at"):
            at = getattr(self, name)
            if at is not None:
                setattr(self, name, at + by)

    def begin(self, at: Micros) -> None:
        """Its worker began it at that time."""
        self.began_at = at
        if self.flow.timeout_s is not None:
            self.deadline = at + round(self.flow.timeout_s * SECOND)

    def ending(self, code: Code, at: Micros, *, began: bool = True, **more: Any) -> Ending:
        """The end of this claim; `more` are further fields of `Ending`."""
        started_at = more.pop("started_at", self.began_at)
        row = self.claimed
        return Ending(
            *(row.job_id, row.queue_id, row.flow_id, row.rank, row.attempt, row.losses, row.claim),
            *(code, self.shown, began, at),
            (self.first_began_at or started_at) if began else None,
            *(self.pool_id, self.worker_id, self.flow.version, row.parent_id),
            created_at=row.created_at,
            **more,
        )

    def completed(self, outcome: Outcome) -> Ending:
        """It completed: what nearly all of them do, so it is written for speed."""
        result = outcome.result
        row = self.claimed
        return Ending._make(
            (
                *row[:7],
                *(Code.COMPLETED, self.shown, True, outcome.finished_at),
                self.first_began_at or outcome.started_at,
                *(self.pool_id, self.worker_id, self.flow.version, row.parent_id),
                None if result is None else result.decode(),
                outcome.reason or None,
                outcome.message or None,
                *(False, None, None),
                outcome.cpu_us or None,
                outcome.rss_kb or None,
                row.created_at,
            )
        )

    def not_begun(self, at: Micros) -> Ending:
        """It goes back to the ready at no cost, or ends if it was to be stopped."""
        if self.stopping:
            return self.stopped(at, began=False)
        return self.ending(Code.PENDING, at, began=False)

    def stopped(self, at: Micros, **more: Any) -> Ending:
        """It ends as somebody asked, or by its timeout."""
        reason = Reason.KILLED if self.stopping == "kill" else Reason.STOPPED
        message = self.stop_reason or f"{reason.value} by {self.stop_by}"
        return self.ending(Code.STOPPED, at, reason=reason.value, message=message, **more)
