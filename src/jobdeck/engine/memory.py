"""What the workers of a pool take of the memory, and who has been ended for lack of it."""

import contextlib
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import psutil

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.engine.handed import Handed
from jobdeck.engine.workers import WorkerProcess

_VMSTAT = Path("/proc/vmstat")


def resident(groups: Collection[int]) -> dict[int, int]:
    """The resident memory of each of these process groups in bytes. Pages that its processes
    share are counted for each of them, so this is the most that it can be."""
    sums = dict.fromkeys(groups, 0)
    for pid in psutil.pids():
        # One may end while it is looked at.
        with contextlib.suppress(OSError, psutil.Error):
            group = os.getpgid(pid)
            if group in sums:
                sums[group] += psutil.Process(pid).memory_info().rss
    return sums


def proportional(group: int) -> int:
    """The memory of the process group in bytes, what its processes share counted once. It takes
    the kernel some milliseconds, so it is for making sure."""
    total = 0
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(pid) == group:
                used = psutil.Process(pid).memory_full_info()
                total += getattr(used, "pss", 0) or used.uss
    return total


class Scale:
    """Weighs workers that run jobs under a limit, once a second: the pool's own, that of the
    job's pipeline, or the lower of both."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._next_at: Micros = 0

    def move(self, by: Micros) -> None:
        """The clock was set by so much."""
        self._next_at += by

    def over(
        self, workers: Iterable[WorkerProcess], now: Micros
    ) -> list[tuple[WorkerProcess, int, int]]:
        """Workers that take more than they may, with what they take and what they may, in
        bytes."""
        if now < self._next_at:
            return []
        self._next_at = now + SECOND
        watched = {
            worker.pid: (worker, limit)
            for worker in workers
            if not worker.killed and (limit := self._of(worker.running())) is not None
        }
        if not watched:
            return []
        found = []
        for pid, most in resident(watched).items():
            worker, limit = watched[pid]
            if most > limit and (used := proportional(pid)) > limit:
                found.append((worker, used, limit))
        return found

    def _of(self, jobs: Sequence[Handed]) -> int | None:
        if not jobs:
            return None
        limits = [self._limit, *(job.flow.manifest.memory for job in jobs)]
        return min((limit for limit in limits if limit is not None), default=None)


class Killer:
    """The kernel's out-of-memory killer, as far as it can be heard: it counts its victims."""

    def __init__(self, vmstat: Path = _VMSTAT) -> None:
        self._vmstat = vmstat
        self._known = self._count()

    def struck(self) -> bool:
        """Whether it has ended a process since the last time that somebody asked."""
        count, known = self._count(), self._known
        self._known = count
        return count > known

    def _count(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            for line in self._vmstat.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
        return 0
