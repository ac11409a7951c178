"""Making a store ready for a target, in another process.

First it only looks, so that whatever can be refused is refused before anything has begun. It
keeps the database's library, which is large, out of the supervisor.
"""

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import Struct, structs

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
    """The two steps, from the side of who asks for them; a context manager.

    `tell` writes a line to the process, which inherits the descriptor `answers`.
    """

    def __init__(self) -> None:
        self._answers, self.answers = os.pipe()
        self._lines = os.fdopen(self._answers, "rb")
        self.tell: Callable[[bytes], None] = lambda _: None

    def __enter__(self) -> Self:
        """Nothing more than a name for it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open."""
        self._lines.close()
        self.started()

    def started(self) -> None:
        """The process has the descriptor: let go of it here, so that its end can be seen."""
        if self.answers >= 0:
            os.close(self.answers)
            self.answers = -1

    def begin(self, config: ChildConfig) -> None:
        """Let it look at the store; nothing there changes."""
        self.tell(msgspec.json.encode(config))

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
        self.tell(msgspec.json.encode(list(pipelines)))
        return self._receive()

    def _receive(self) -> Answer:
        line = self._lines.readline()
        if not line:
            raise StartFailed("The process that prepares the store has ended without an answer.")
        answer = msgspec.json.decode(line, type=Answer)
        if answer.error:
            failed = StartFailed(answer.error)
            failed.exit_code = answer.exit_code
            raise failed
        return answer


def prepare_once(config: ChildConfig, pipelines: Sequence[PipelineManifest]) -> Answer:
    """Both steps in a process that is there for them only.

    Raises:
        JobdeckError: it could not be done.
    """
    with Preparation() as preparation:
        told = structs.replace(config, answers=preparation.answers)
        process = subprocess.Popen(
            argv("prepare"),
            stdin=subprocess.PIPE,
            pass_fds=(preparation.answers,),
            start_new_session=True,
        )
        preparation.started()

        def tell(line: bytes) -> None:
            assert process.stdin
            with contextlib.suppress(OSError):  # it has ended: there will be no answer
                process.stdin.write(line + b"\n")
                process.stdin.flush()

        preparation.tell = tell
        try:
            preparation.begin(told)
            preparation.checked()
            return preparation.commit(pipelines)
        finally:
            process.kill()  # whatever it is doing: each step is one transaction
            process.communicate()


def serve_preparation(config: ChildConfig) -> bool:
    """The other side: look at the store, answer, wait, change it, answer. False: it was refused,
    or is no longer wanted."""
    with os.fdopen(config.answers, "wb") as answers:

        def answer(said: Answer) -> None:
            answers.write(msgspec.json.encode(said) + b"\n")
            answers.flush()

        try:
            store = open_store(config.settings)
            _look(store)
            answer(Answer(store=store.name))
            line = read_line()
            if not line:
                return False
            pipelines = msgspec.json.decode(line, type=list[PipelineManifest])
            answer(_change(store, pipelines, config.first))
        except JobdeckError as error:
            answer(Answer(error=str(error), exit_code=error.exit_code))
            return False
        return True


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


def _change(store: "Store", pipelines: list[PipelineManifest], first: str) -> Answer:
    from jobdeck.actions.jobs import create
    from jobdeck.actions.pipelines import register
    from jobdeck.domain.roles import SYSTEM
    from jobdeck.sdk.transport import EnqueueItem
    from jobdeck.store import schema

    schema.ensure(store)
    if pipelines:
        register(store, SYSTEM, "loaded at the start", pipelines)
    if first:
        create(store, SYSTEM, "created at the start", EnqueueItem(flow=first))
    return Answer(store=store.name)
