"""What a job used: processor time and memory, as the system counts them for the process."""

import contextlib
import os
import re
import resource

_RESET_PEAK = b"5"
_RISE_KB = 4096
_RESIDENT = re.compile(rb"VmRSS:\s*(\d+) kB")
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


class Meter:
    """Measures jobs that took long enough for it to be worth the while.

    Those between count as having used the processor all the time that they took.
    """

    def __init__(self) -> None:
        self.unmeasured_us = 0
        self._cpu_us = _cpu_us()
        self._status = self._open("/proc/self/status", os.O_RDONLY)
        self._clear = self._open("/proc/self/clear_refs", os.O_WRONLY)
        self._low_kb = self._peak_kb()

    @staticmethod
    def _open(path: str, flags: int) -> int | None:
        try:
            return os.open(path, flags | os.O_CLOEXEC)
        except OSError:
            return None

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
        peak = self._peak_kb()
        if peak > self._low_kb + _RISE_KB and self._clear is not None:
            # Or one large job would be seen in all that follow.
            with contextlib.suppress(OSError):
                os.write(self._clear, _RESET_PEAK)
            self._low_kb = self._peak_kb()
        return used, peak

    def peak_kb(self) -> int:
        """The peak of resident memory in kB since a large job was measured."""
        return self._peak_kb()

    def resident_kb(self) -> int:
        """The resident memory of this process now, in kB."""
        if self._status is not None:
            with contextlib.suppress(OSError):
                found = _RESIDENT.search(os.pread(self._status, 4096, 0))
                if found is not None:
                    return int(found[1])
        import psutil

        return int(psutil.Process().memory_info().rss) // 1024

    def _peak_kb(self) -> int:
        # Not from rusage where it can be helped: there the peak of the process that started
        # this one counts too.
        if self._status is not None:
            with contextlib.suppress(OSError):
                found = _PEAK.search(os.pread(self._status, 4096, 0))
                if found is not None:
                    return int(found[1])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if os.uname().sysname == "Darwin" else peak


def _cpu_us() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime) * 1e6)
