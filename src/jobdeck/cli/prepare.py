"""Making a store ready for a target, in a process that ends when it is done.

First it only looks, so that whatever can be refused is refused before anything has begun. It
keeps the database's library, which is large, out of the supervisor.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import Struct

from jobdeck.cli.child import ChildConfig, argv, open_store, read_line
from jobdeck.domain.errors import JobdeckError, StartFailed
from jobdeck.domain.manifest import PipelineManifest

if TYPE_CHECKING:
    from jobdeck.store.database import Store


class Answer(Struct, frozen=True, kw_only=True):
    """What became of one step; `store` is its address for messages."""

    error: str = ""
    exit_code: int = 1
    store: str = ""
    changed: list[str] = []
    schedules: int = 0


class Preparation:
    """The process, from the side of who started it; a context manager that ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            argv("prepare"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Self:
        """Nothing more than a name for it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it is doing: each step is one transaction."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def begin(self, config: ChildConfig) -> None:
        """Let it look at the store; nothing there changes."""
        self._send(config)

    def checked(self) -> Answer:
        """Wait for what it has seen.

        Raises:
            JobdeckError: the store cannot be used, and why.
        """
        return self._receive()

    def commit(self, pipelines: Sequence[PipelineManifest]) -> Answer:
        """Create or migrate the store, register and publish these pipelines, and set up the
        schedules that they declare.

        Raises:
            JobdeckError: it could not be done.
        """
        self._send(list(pipelines))
        return self._receive()

    def _send(self, message: object) -> None:
        assert self._process.stdin
        with contextlib.suppress(OSError):  # it has ended: there will be no answer
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()

    def _receive(self) -> Answer:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise StartFailed(
                "The process that prepares the store ended without an answer "
                f"(exit code {self._process.wait()}); what it said stands above."
            )
        answer = msgspec.json.decode(line, type=Answer)
        if answer.error:
            failed = StartFailed(answer.error)
            failed.exit_code = answer.exit_code
            raise failed
        return answer


def serve_preparation(config: ChildConfig) -> None:
    """The process itself: look at the store, answer, wait, change it, answer."""
    try:
        store = open_store(config.settings)
        _look(store)
        _answer(Answer(store=store.name))
        line = read_line()
        if line:
            _answer(_change(store, msgspec.json.decode(line, type=list[PipelineManifest])))
    except JobdeckError as error:
        _answer(Answer(error=str(error), exit_code=error.exit_code))


def _answer(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def _look(store: "Store") -> None:
    from jobdeck.domain.errors import StoreUnreachable, StoreVersion
    from jobdeck.store import schema

    try:
        schema.ensure(store, migrate=False)
    except StoreVersion:
        if schema.status(store).newer:
            raise
    if store.path is None:
        return
    if store.path.exists():
        with store.write():
            pass
    elif not os.access(store.path.parent, os.W_OK | os.X_OK):
        raise StoreUnreachable(
            f"The store {store.name} cannot be created: the folder {store.path.parent} cannot be "
            "written. Check its owner and mode, or name another file with --store."
        )


def _change(store: "Store", pipelines: list[PipelineManifest]) -> Answer:
    from jobdeck.actions.pipelines import register
    from jobdeck.domain.roles import SYSTEM
    from jobdeck.store import schema

    schema.ensure(store)
    if pipelines:
        register(store, SYSTEM, "loaded at the start", pipelines)
    return Answer(store=store.name)
