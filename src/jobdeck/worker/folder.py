"""The working directory: what a job changes of it ends with the job."""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any


class WorkingFolder:
    """Notices that a job leaves the folder, rather than asking the system after each job."""

    def __init__(self) -> None:
        self.left = False
        self._home = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
        self._return = os.fchdir
        os.chdir = self._noticing(os.chdir)
        os.fchdir = self._noticing(os.fchdir)

    def _noticing(self, change: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(change)
        def noticed(*args: Any, **kwargs: Any) -> None:
            self.left = True
            change(*args, **kwargs)

        return noticed

    def come_back(self) -> None:
        """Back to where the worker was started."""
        self.left = False
        # The folder may have been removed, or the descriptor closed, by user code.
        with contextlib.suppress(OSError):
            self._return(self._home)
