"""The web server, ending at once when asked to."""

import socket
from collections.abc import Sequence
from typing import Any

import uvicorn

from jobdeck.http.state import Deck

DRAIN_S = 5
"""How long requests under way may take to end at shutdown."""


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
