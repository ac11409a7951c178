"""The piece of memory that a worker and its pool share: it tells the truth after a kill too."""

import mmap
import os
import struct
import tempfile

from jobdeck.domain.clock import Micros
from jobdeck.domain.limits import COROUTINES_MOST

_LAYOUT = struct.Struct("=QQq")
_SLOT = struct.Struct("=Qq")
_SHARED_AT, _SLOTS_AT = 24, 64
_SIZE = mmap.PAGESIZE
_WORD = struct.Struct("=Q")
_TIME = struct.Struct("=q")


class Board:
    """Two counters of jobs since the worker started, in the order in which they were handed
    out: how many began, how many ended; and when the latest began.

    The worker alone writes. Recalled jobs count as begun and ended. A job that has the worker
    for itself is running while `begun` is ahead of `done`. Those that run side by side have a
    slot each, and count as ended from their beginning. What is written last makes the others
    count, so that a worker that is killed between two words has not begun its latest job.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, _SIZE)
        self._shared = 0

    @classmethod
    def create(cls) -> "Board":
        """A new one, of zeros, in a file without a name that a child may inherit."""
        if hasattr(os, "memfd_create"):
            # No disk is behind it, which may be full: touching it would end the worker.
            fd = os.memfd_create("jobdeck-board", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile(prefix="jobdeck-board") as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, _SIZE)
        return cls(fd)

    def begin(self, number: int, at: Micros) -> None:
        """The worker begins its `number`-th job (from 1)."""
        _TIME.pack_into(self._memory, 16, at)
        _WORD.pack_into(self._memory, 0, number)

    def end(self, number: int) -> None:
        """Its `number`-th job has ended."""
        _WORD.pack_into(self._memory, 8, number)

    def open(self, slot: int, number: int, at: Micros) -> None:
        """The worker begins its `number`-th job, which shares it with others."""
        _SLOT.pack_into(self._memory, _SLOTS_AT + slot * _SLOT.size, number, at)
        self._shared += 1
        _WORD.pack_into(self._memory, _SHARED_AT, self._shared)
        _WORD.pack_into(self._memory, 8, number)
        _WORD.pack_into(self._memory, 0, number)

    def shut(self, slot: int) -> None:
        """The job in that slot has ended."""
        _WORD.pack_into(self._memory, _SLOTS_AT + slot * _SLOT.size, 0)
        self._shared -= 1
        _WORD.pack_into(self._memory, _SHARED_AT, self._shared)

    def read(self) -> tuple[int, int, Micros]:
        """How many began, how many ended, and when the latest began."""
        begun, done, at = _LAYOUT.unpack_from(self._memory, 0)
        return begun, done, at

    def shared(self) -> int:
        """How many run side by side."""
        count: int = _WORD.unpack_from(self._memory, _SHARED_AT)[0]
        return count

    def slots(self) -> dict[int, Micros]:
        """The numbers of the jobs that run side by side, with when they began."""
        view = self._memory[_SLOTS_AT : _SLOTS_AT + COROUTINES_MOST * _SLOT.size]
        return {number: at for number, at in _SLOT.iter_unpack(view) if number}

    def close(self) -> None:
        """Let go of the memory and the file."""
        self._memory.close()
        os.close(self.fd)
