"""Keeps a worker from outliving its pool, and its connection from being lost by accident."""

import contextlib
import fcntl
import os
import signal
import socket
import sys

_PR_SET_PDEATHSIG = 1
_LEAST_FD = 200


def lead_group() -> None:
    """Be the leader of a process group, so that all that jobs start can be killed at once."""
    if os.getpgrp() != os.getpid():
        with contextlib.suppress(OSError):
            os.setsid()


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def die() -> None:
    """End at once, with everything in the process group; for when the pool is gone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def connect(fd: int) -> socket.socket:
    """The connection to the pool at that descriptor, moved out of the way of user code, which
    may close low numbers; children do not inherit it, and a forked one closes it."""
    with contextlib.suppress(OSError):
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LEAST_FD)
        os.close(fd)
        fd = high
    connection = socket.socket(fileno=fd)
    connection.setblocking(True)
    connection.set_inheritable(False)
    os.register_at_fork(after_in_child=connection.close)
    return connection
