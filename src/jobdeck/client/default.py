"""Where `enqueue()` goes when nobody has said: the server or store of the environment."""

import atexit
from typing import Protocol

from jobdeck.client import settings
from jobdeck.sdk.transport import Transport


def default_transport() -> Transport:
    """The transport to JOBDECK_URL, or else into JOBDECK_STORE, or else into the store that
    lies in the working directory.

    Raises:
        StoreUnreachable: there is no such store, and none was named to be created.
        InvalidValue: a setting does not fit.
    """
    found = transport_for(settings.read())
    atexit.register(found.close)
    return found


class ClosableTransport(Transport, Protocol):
    """A transport that holds connections."""

    def close(self) -> None:
        """Let go of them."""
        ...


def transport_for(found: settings.Settings) -> ClosableTransport:
    """The transport that the settings ask for.

    Raises:
        StoreUnreachable: there is no such store, and none was named to be created.
    """
    if found.url:
        from jobdeck.client.http_transport import Connection, HttpTransport

        return HttpTransport(Connection(found.url, found.token))
    from jobdeck.client.opening import open_store
    from jobdeck.client.store_transport import StoreTransport

    return StoreTransport(open_store(found, create=True))
