"""When a worker has done enough: after so many jobs, or when they left too much memory behind."""

import gc
import sys

from jobdeck.worker.usage import Meter


class Wear:
    """`jobs` is how many it may run (0: any number), `memory_kb` what it may take (0: any amount).

    A worker that holds, between jobs, half of what its code left of that is worn out: what
    earlier jobs have leaked is not to be charged to the next one.
    """

    def __init__(self, jobs: int = 0, memory_kb: int = 0) -> None:
        self.jobs = jobs or sys.maxsize
        self._meter = Meter()
        self._most_kb = 0
        if memory_kb:
            self._most_kb = (self._meter.resident_kb() + memory_kb) // 2

    def out(self, done: int) -> str:
        """Why a worker that has run so many jobs is to be replaced; empty: it is not."""
        if done >= self.jobs:
            return f"it has run {done:,} jobs"
        if not self._most_kb or self._meter.resident_kb() <= self._most_kb:
            return ""
        gc.collect()
        held = self._meter.resident_kb()
        return f"its jobs have left {held // 1000:,} MB behind" if held > self._most_kb else ""
