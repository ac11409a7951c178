"""Whether a store takes writes, found out by writing now and then."""

import os
import socket
import threading
import time

from jobdeck.domain.errors import StoreError, StoreUnreachable
from jobdeck.store import leases
from jobdeck.store.database import Store

EVERY_S, EVERY_FAILED_S = 5.0, 1.0
"""How old an answer may be; and one that says no."""

WAIT_S = 2.0
"""So long is waited for a new answer; then the last one holds."""


class Writable:
    """Asked often, it writes seldom: one small row in the time of `EVERY_S`, in a thread of its
    own, since a write may wait for others. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = f"writable {socket.gethostname()}:{os.getpid()}"
        self._lock = threading.Lock()
        self._tried = threading.Event()
        self._tried.set()
        self._tried_at: float | None = None
        self._error: StoreError | None = None

    def check(self) -> None:
        """Say nothing if the last write succeeded.

        Raises:
            StoreError: it did not, or none has yet; says why.
        """
        with self._lock:
            if self._tried.is_set() and self._is_old():
                self._tried.clear()
                threading.Thread(target=self._try, name="writable", daemon=True).start()
        self._tried.wait(WAIT_S)
        if self._error is not None:
            raise self._error
        if self._tried_at is None:
            raise StoreUnreachable(
                f"The store {self._store.name} has let a write wait for {WAIT_S:g} seconds."
            )

    def _is_old(self) -> bool:
        every = EVERY_S if self._error is None else EVERY_FAILED_S
        return self._tried_at is None or time.monotonic() - self._tried_at > every

    def _try(self) -> None:
        error = None
        try:
            with self._store.write() as conn:
                leases.put(conn, self._name, "", 0)
                leases.drop(conn, self._name, "")
        except StoreError as failed:
            error = failed
        self._error, self._tried_at = error, time.monotonic()
        self._tried.set()
