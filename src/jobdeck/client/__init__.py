"""From Python and the command line to a store or a server: settings, transports, Client."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobdeck.client.client import Client as Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    # Settings are read by programs that need neither a database nor HTTP.
    if name == "Client":
        from jobdeck.client.client import Client

        return Client
    raise AttributeError(f"module 'jobdeck.client' has no attribute {name!r}")
