"""What a job used: processor time and memory, as the system counts them for the process."""

import contextlib
import os
import resource
import sys

_KB = 1024 if sys.platform == "darwin" else 1
_RESET_PEAK = b"5"
_RISE_KB = 4096


class Meter:
    """Measures jobs that took long enough for it to be worth the while.

    Those between count as having used the processor all the time that they took.
    """

    def __init__(self) -> None:
        self.unmeasured_us = 0
        self._cpu_us = _cpu_us()
        self._rss_kb = _peak_kb()
        self._clear: int | None = None
        with contextlib.suppress(OSError):
            self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)

    def start(self) -> None:
        """A batch begins."""
        self.unmeasured_us = 0
        self._cpu_us = _cpu_us()

    def measure(self) -> tuple[int, int]:
        """Microseconds of processor time since the job before, its processes included, and
        the peak of resident memory in kB."""
        now = _cpu_us()
        used = max(now - self._cpu_us - self.unmeasured_us, 0)
        self._cpu_us = now
        self.unmeasured_us = 0
        peak = _peak_kb()
        if peak > self._rss_kb + _RISE_KB and self._clear is not None:
            # Or one large job would be seen in all that follow.
            with contextlib.suppress(OSError):
                os.write(self._clear, _RESET_PEAK)
            self._rss_kb = _peak_kb()
        return used, peak


def _cpu_us() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime) * 1e6)


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KB
