"""The piece of memory that a worker and its pool share: it tells the truth after a kill too."""

import mmap
import os
import struct
import tempfile

from jobdeck.domain.clock import Micros

_LAYOUT = struct.Struct("=QQq")
_SIZE = mmap.PAGESIZE
_WORD = struct.Struct("=Q")
_TIME = struct.Struct("=q")


class Board:
    """Two counters of jobs since the worker started, in the order in which they were handed
    out: how many began, how many ended; and when the latest began.

    The worker alone writes. Recalled jobs count as begun and ended. A job is running while
    `begun` is ahead of `done`.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, _SIZE)

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

    def read(self) -> tuple[int, int, Micros]:
        """How many began, how many ended, and when the latest began."""
        begun, done, at = _LAYOUT.unpack_from(self._memory, 0)
        return begun, done, at

    def close(self) -> None:
        """Let go of the memory and the file."""
        self._memory.close()
        os.close(self.fd)
