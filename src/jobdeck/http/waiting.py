"""Waiting for jobs to end without holding a thread for each who waits."""

import asyncio

import structlog

from jobdeck.domain.errors import StoreError
from jobdeck.store import jobs
from jobdeck.store.database import Store

POLL_S = 0.02
POLL_MAX_S = 0.2
_log = structlog.get_logger("jobdeck.http")


class Waiting:
    """One poller for all calls that wait for jobs of one store; it rests while nobody waits.

    Belongs to one event loop.
    """

    def __init__(self, store: Store, closing: asyncio.Event) -> None:
        self._store = store
        self._closing = closing
        self._waiters: dict[int, set[asyncio.Future[None]]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def ended(self, job_id: int, timeout_s: float) -> bool:
        """Whether the job ended (or is gone) within so many seconds; False as well when the
        server shuts down."""
        if timeout_s <= 0 or self._closing.is_set():
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(job_id, set()).add(waiter)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait(
                (waiter, closing), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            return waiter.done()
        finally:
            closing.cancel()
            waiters = self._waiters.get(job_id, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(job_id, None)

    async def _poll(self) -> None:
        pause = POLL_S
        while self._waiters and not self._closing.is_set():
            try:
                ended = await asyncio.to_thread(self._ended, list(self._waiters))
            except StoreError as error:
                _log.warning("cannot see whether jobs have ended", error=str(error))
                ended, pause = [], 1.0
            for job_id in ended:
                for waiter in self._waiters.pop(job_id, ()):
                    if not waiter.done():
                        waiter.set_result(None)
            pause = POLL_S if ended else min(pause * 1.2, POLL_MAX_S)
            await asyncio.sleep(pause)

    def _ended(self, job_ids: list[int]) -> list[int]:
        with self._store.read() as conn:
            found = jobs.statuses(conn, job_ids)
        return [job_id for job_id in job_ids if job_id not in found or found[job_id].final]
