"""Which of several maintenance processes acts."""

import contextlib
import os
import socket
import time
import uuid

import psutil

from jobdeck.domain.errors import StoreError
from jobdeck.domain.limits import LEASE_S
from jobdeck.store import leases
from jobdeck.store.database import Store

NAME = "maintenance"


class Leadership:
    """A lease that its holder renews by raising a counter. Others take it over when they have
    not seen the counter rise for the length of the lease by their own clock."""

    def __init__(self, store: Store, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._host = socket.gethostname()
        self._owner = f"{self._host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._lease_s = lease_s
        self._renew_at = 0.0
        self._held = False
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0

    def held(self) -> bool:
        """Whether this process leads now; renews or takes over the lease where it may."""
        moment = time.monotonic()
        if self._held and moment < self._renew_at:
            return True
        with self._store.write() as conn:
            lease = leases.get(conn, NAME)
            if lease is None or lease.owner == self._owner or self._stale(lease, moment):
                leases.put(conn, NAME, self._owner, (lease.beat if lease else 0) + 1)
                self._held = True
                self._renew_at = moment + self._lease_s / 4
            else:
                self._held = False
        return self._held

    def _stale(self, lease: leases.Lease, moment: float) -> bool:
        now_seen = (lease.owner, lease.beat)
        if now_seen != self._seen:
            self._seen, self._seen_at = now_seen, moment
            return self._gone(lease.owner)
        return moment - self._seen_at > self._lease_s

    def _gone(self, owner: str) -> bool:
        """Whether that owner was a process of this machine that has ended."""
        host, pid, _ = owner.rsplit(":", 2)
        return host == self._host and not psutil.pid_exists(int(pid))

    def resign(self) -> None:
        """Let the next one take over at once."""
        if self._held:
            self._held = False
            with contextlib.suppress(StoreError), self._store.write() as conn:
                leases.drop(conn, NAME, self._owner)
