"""Waking a pool that sleeps: a datagram on the same machine, or PostgreSQL's NOTIFY.

It only saves time: a pool that hears nothing looks again by itself.
"""

import atexit
import contextlib
import hashlib
import os
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from jobdeck.domain.errors import StoreUnreachable

FOLDER_BYTES = 80


class Listener(Protocol):
    """Something to put into a selector; readable when there may be work."""

    def fileno(self) -> int:
        """The descriptor to wait on."""

    def drain(self) -> None:
        """Forget what has arrived.

        Raises:
            StoreError: nothing will arrive any more; close it, and make another one.
        """

    def close(self) -> None:
        """Stop listening."""


@cache
def _folder(store: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(store.resolve())).hexdigest()[:16]
    name = f"jobdeck-{os.getuid()}/{digest}"
    folder = Path(tempfile.gettempdir()) / name
    # The path of a socket is limited to about 100 characters, and TMPDIR may be any.
    return folder if len(os.fsencode(folder)) <= FOLDER_BYTES else Path("/tmp") / name  # noqa: S108


class SocketListener:
    """A datagram socket in a folder that belongs to the store's file."""

    def __init__(self, store: Path) -> None:
        folder = _folder(store)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}.sock"
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget what has arrived."""
        try:
            while True:
                self._socket.recv(16)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


class PostgresListener:
    """A connection that has said LISTEN."""

    def __init__(self, engine: Engine) -> None:
        raw = engine.raw_connection()
        connection: Any = raw.driver_connection
        raw.detach()
        connection.rollback()
        connection.autocommit = True
        connection.execute("LISTEN jobdeck_wake")
        self._connection = connection
        # Asked for later, a connection that is lost would not tell.
        self._fd: int = connection.fileno()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._fd

    def drain(self) -> None:
        """Forget what has arrived."""
        try:
            for _ in self._connection.notifies(timeout=0):
                pass
        except Exception as error:
            raise StoreUnreachable(f"The database no longer wakes this process: {error}") from None

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()


_sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
_sender.setblocking(False)
atexit.register(_sender.close)


def poke_socket(store: Path) -> None:
    """Tell every pool on this machine that the store at `store` has something new."""
    folder = _folder(store)
    try:
        names = os.listdir(folder)  # noqa: PTH208  on the path of every enqueue
    except OSError:
        return
    for name in names:
        path = f"{folder}/{name}"
        try:
            _sender.sendto(b"1", path)
        except BlockingIOError:
            pass  # its queue is full: it knows
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108  left by a process that was killed
        except OSError:
            pass
