"""The web server: listening, and ending at once when asked to."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn

from jobdeck.client.settings import Settings
from jobdeck.domain.errors import StartFailed
from jobdeck.http.state import Deck

DRAIN_S = 5
"""How long requests under way may take to end at shutdown."""


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        StartFailed: the port is taken, the address is not of this machine, or it is open to
            others while no token is set.
    """
    host, port = settings.host, settings.port
    if not is_loopback(host) and not settings.token:
        raise StartFailed(
            f"Jobdeck does not listen on {host} while nobody needs to sign in there. Set a token "
            "(JOBDECK_TOKEN), or listen on 127.0.0.1."
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, address = found[0]
        listener = socket.socket(family, kind, proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        raise StartFailed(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another port "
            "with --port (0 takes a free one), or end the program that uses it."
        ) from None
    listener.set_inheritable(False)
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """Where a browser on this machine finds the server, without a slash at its end."""
    host, port = settings.host, listener.getsockname()[1]
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  any address includes this one
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.base_path}"


class Server(uvicorn.Server):
    """uvicorn, but the event streams end before it waits for connections to end."""

    def __init__(self, app: Any, decks: Sequence[Deck]) -> None:
        self._decks = decks
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=DRAIN_S,
                timeout_keep_alive=30,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        for deck in self._decks:
            await deck.close()
        await super().shutdown(sockets)
