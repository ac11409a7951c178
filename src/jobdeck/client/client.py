"""The client: from Python what the commands do, on a store or on a server."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from jobdeck.client import settings
from jobdeck.client.backend import Backend, InStore, OverHttp
from jobdeck.client.controls import Controls
from jobdeck.client.definitions import Definitions
from jobdeck.client.jobs import Jobs
from jobdeck.client.many import Many
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.roles import Actor


class Client(Jobs, Many, Definitions, Controls, AbstractContextManager["Client"]):
    """Creates, finds and controls jobs, flows, queues, schedules and pipelines.

    Every method that changes something takes a `reason` for the audit. Times are microseconds
    since the epoch, see `jobdeck.domain.clock`. All methods raise `JobdeckError`: `NotFound`,
    `InvalidValue` (names the field), `WrongState`, `Forbidden`, `StoreUnreachable`.
    Safe to share between threads; close it, or use it in a `with`.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Work on the store of that address, or on the server at `url` with a bearer token; by
        default as JOBDECK_URL or JOBDECK_STORE say.

        `actor` is who the audit of a store names; by default the user of this machine.

        Raises:
            InvalidValue: both are given, or one is no address.
            StoreUnreachable: there is no such store.
        """
        if store and url:
            raise InvalidValue("url", "give a store or a url, not both")
        found = settings.read({"store": store, "url": "" if store else url, "token": token})
        self._backend: Backend
        if found.url:
            from jobdeck.client.http_transport import Connection

            self._backend = OverHttp(Connection(found.url, found.token))
        else:
            from jobdeck.client.opening import local_actor, open_store

            self._backend = InStore(open_store(found, create=False), actor or local_actor())

    def close(self) -> None:
        """Let go of the connections."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
