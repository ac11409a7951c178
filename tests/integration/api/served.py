"""A web server, in a thread of the tests or in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

import httpx

from jobdeck.client.settings import Settings
from jobdeck.http import listening
from jobdeck.http.server import Server
from jobdeck.store.database import Store
from tests.integration.api.wired import wired
from tests.integration.launched import environment, until

TOKEN = "secret-token"
_PROGRAM = """
import socket, sys
from jobdeck.app import serve
from jobdeck.client.settings import Settings
from jobdeck.http import listening
from jobdeck.http.state import Deck
from jobdeck.store.database import Store

settings = Settings(token=sys.argv[3], base_path=sys.argv[4])
listening.listen = lambda _: socket.socket(fileno=int(sys.argv[2]))
serve([Deck(Store(sys.argv[1]), settings)], settings)
"""


class Served:
    """The server of a store, in this process; leaving the block ends it."""

    def __init__(self, store_url: str, base_path: str = "") -> None:
        settings = Settings(port=0, token=TOKEN, base_path=base_path)
        self._left = ExitStack()
        store = self._left.enter_context(closing(Store(store_url)))
        deck, application = self._left.enter_context(wired(store, settings))
        listener = self._left.enter_context(listening.listen(settings))
        self.url = listening.address(settings, listener)
        self.http = self._left.enter_context(_client())
        self._server = Server(application, [deck])
        self._thread = threading.Thread(target=self._server.run, args=([listener],))

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive(), "the server's start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._left.close()


def _client() -> httpx.Client:
    return httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)


class ServedApart:
    """The server of a store, in a process of its own; leaving the block ends it."""

    def __init__(self, store_url: str, base_path: str = "") -> None:
        # Not a port that was free a moment ago: another test may take it.
        settings = Settings(port=0, base_path=base_path)
        with listening.listen(settings) as listener:
            self.url = listening.address(settings, listener)
            number = listener.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, store_url, str(number), TOKEN, base_path],
                env=environment(),
                pass_fds=[number],
            )
        self.http = _client()

    def __enter__(self) -> Self:
        until(self._answers, "the server answers")
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the server has ended"
        try:
            return self.http.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()
        self.process.kill()
        self.process.wait()

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """Ask it to end, and wait for that."""
        self.process.send_signal(number)
        self.process.wait(20)
