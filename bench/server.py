"""A web server on a store, as a process of its own whose CPU time can be told."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

TOKEN = "the-token-of-the-measurements"


class Served:
    """A server that answers at `address`."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.address = address
        self.headers = {"Authorization": f"Bearer {TOKEN}"}
        self._process = process

    def cpu_s(self) -> float:
        """CPU seconds so far of the process that answers; that of maintenance is another."""
        times = self._web().cpu_times()
        return float(times.user + times.system)

    def rss(self) -> int:
        """Bytes of memory."""
        return int(self._web().memory_info().rss)

    def _web(self) -> psutil.Process:
        port = int(re.findall(r":(\d+)", self.address)[0])
        every = [self._process, *self._process.children(recursive=True)]
        return next(p for p in every if any(c.laddr.port == port for c in p.net_connections()))


@contextmanager
def serve(url: str) -> Iterator[Served]:
    """Serve the store until the block is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "jobdeck.cli", "web", "--port", str(port), "--store", url]
    known = {name: text for name, text in os.environ.items() if not name.startswith("JOBDECK_")}
    process = subprocess.Popen(
        argv,
        env=known | {"JOBDECK_TOKEN": TOKEN},
        cwd=Path.cwd(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    served = Served(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    try:
        _wait(served, process)
        yield served
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(served: Served, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{served.address}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server at {served.address} does not answer")
