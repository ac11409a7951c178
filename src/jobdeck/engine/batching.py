"""How many jobs to hand to a worker at once."""

from jobdeck.domain.limits import BATCH_JOBS, BATCH_S

_WEIGHT = 0.3


class Meter:
    """The measured time of each flow's jobs, as a moving mean.

    A worker is handed about BATCH_S of work: enough to keep it busy while the pool writes, and
    so little that a job of higher priority or another worker need not wait behind it. A flow
    that was never measured, and one whose jobs take longer, gets one job at a time.
    """

    def __init__(self) -> None:
        self._mean_s: dict[int, float] = {}
        self.most = BATCH_JOBS
        self.batch = 1
        """The batch of the flow that was measured last: what to claim next for each worker."""

    def measured(self, flow_id: int, total_s: float, jobs: int) -> None:
        """That many jobs of the flow took so long together."""
        # A clock that is set back in between makes less than nothing of it.
        sample = max(total_s, 0.0) / jobs
        before = self._mean_s.get(flow_id)
        # A job that took much longer than expected counts in full at once.
        if before is None or sample > before * 10:
            mean = sample
        else:
            mean = before + _WEIGHT * (sample - before)
        self._mean_s[flow_id] = mean
        self.batch = self.batch_of(flow_id)

    def batch_of(self, flow_id: int) -> int:
        """How many of the flow's jobs make a batch."""
        mean = self._mean_s.get(flow_id)
        if mean is None:
            return 1
        return int(min(max(BATCH_S / max(mean, 1e-9), 1), self.most))

    def cost(self, flow_id: int) -> float:
        """The part of a batch that one job of the flow takes up."""
        return 1 / self.batch_of(flow_id)
