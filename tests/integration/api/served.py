"""A web server in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

import httpx

from tests.integration.launched import environment, free_port, until

TOKEN = "secret-token"
_PROGRAM = """
import sys
from jobdeck.app import serve
from jobdeck.client.settings import Settings
from jobdeck.http.state import Deck
from jobdeck.store.database import Store

settings = Settings(port=int(sys.argv[2]), token=sys.argv[3], base_path=sys.argv[4])
serve([Deck(Store(sys.argv[1]), settings)], settings)
"""


class Served:
    """The server of a store; leaving the block ends it."""

    def __init__(self, store_url: str, base_path: str = "") -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{base_path}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, store_url, str(port), TOKEN, base_path],
            env=environment(),
        )
        self.http = httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

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

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> float:
        """Ask it to end; gives how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - began
