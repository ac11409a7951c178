from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.worker.peer import Peer


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[str], Peer]]:
    """Start a worker that runs a module of this text; it is ready."""
    started: list[Peer] = []

    def start(code: str) -> Peer:
        header = "from jobdeck import Context, Pipeline, StopRequested, job\n"
        peer = Peer(tmp_path, header + code)
        started.append(peer)
        return peer.ready()

    yield start
    for peer in started:
        peer.close()
