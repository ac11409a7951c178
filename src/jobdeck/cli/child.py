"""`python -m jobdeck.cli.child ROLE PARENT`: one of the processes that a supervisor keeps alive.

It imports what its role needs, and begins when its configuration arrives on standard input.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from jobdeck.cli import logs
from jobdeck.client.settings import Settings
from jobdeck.domain.errors import JobdeckError
from jobdeck.domain.sizes import parse_size
from jobdeck.worker import guard

if TYPE_CHECKING:
    from jobdeck.http.server import Server
    from jobdeck.http.state import Deck
    from jobdeck.store.database import Store

CREDENTIALS = ("JOBDECK_STORE", "JOBDECK_URL", "JOBDECK_TOKEN")


class ChildConfig(Struct, frozen=True, kw_only=True):
    """What a child is told. `listener` is the descriptor of the socket that the web server
    accepts from, `start_token` signs in as administrator, `files` are those to watch. With the
    descriptor `answers`, the child first prepares the store; see `prepare`. `first` is the flow
    of which it then creates a job."""

    settings: Settings
    target: str = ""
    workers: int = 0
    listener: int = -1
    start_token: str = ""
    files: list[str] = []
    answers: int = -1
    first: str = ""


def argv(role: str) -> list[str]:
    """The command line of a child. -P: nothing in the working directory may pass for a module
    of Python's own."""
    return [sys.executable, "-P", "-m", "jobdeck.cli.child", role, str(os.getpid())]


def open_store(settings: Settings) -> "Store":
    """The store that the settings name, not touched yet.

    Raises:
        InvalidValue: it is not the address of one.
    """
    from pathlib import Path

    from jobdeck.store.database import Store

    files = Path(settings.files) if settings.files else None
    return Store(settings.store, durable=settings.durable, files=files)


def make_server(settings: Settings, store: "Store") -> tuple["Server", "Deck"]:
    """The web server of a store, not started yet, and its deck."""
    # Where pydantic is installed Litestar loads it: 200 ms and 15 MB for nothing.
    with logs.without("pydantic"):
        from jobdeck.app import create_app
        from jobdeck.http.server import Server
        from jobdeck.http.state import Deck

        deck = Deck(store, settings)
        server = Server(create_app(deck), [deck])
    # What is wired together stays: looking through 150,000 objects takes 100 ms, in some answer.
    gc.freeze()
    return server, deck


def _web() -> Callable[[ChildConfig], None]:
    with logs.without("pydantic"):
        import jobdeck.app
        import jobdeck.web.routes  # noqa: F401

    def run(config: ChildConfig) -> None:
        server, deck = make_server(config.settings, open_store(config.settings))
        deck.start_token = config.start_token
        server.run(sockets=[socket.socket(fileno=config.listener)])

    return run


def _maintenance() -> Callable[[ChildConfig], None]:
    from jobdeck.engine.maintenance import Maintenance
    from jobdeck.engine.tidying import Tidying

    def run(config: ChildConfig) -> None:
        settings, store = config.settings, open_store(config.settings)
        maintenance = Maintenance(store, Tidying(store, settings.keep(), settings.cleanup_at))
        signal.signal(signal.SIGTERM, maintenance.stop)
        signal.signal(signal.SIGINT, maintenance.stop)
        maintenance.run()

    return run


def _pool() -> Callable[[ChildConfig], None]:
    from jobdeck.engine.options import PoolOptions
    from jobdeck.engine.pool import Pool

    def run(config: ChildConfig) -> None:
        settings = config.settings
        # Workers inherit the environment, and are not to hold what opens the store.
        for name in CREDENTIALS:
            os.environ.pop(name, None)
        options = PoolOptions(
            target=config.target,
            workers=config.workers,
            queues=frozenset(settings.queues),
            grace_s=settings.grace_s,
            worker_memory=_bytes(settings.worker_memory),
            worker_jobs=settings.worker_jobs,
            coroutines=settings.coroutines,
        )
        Pool(open_store(settings), options).run()

    return run


def _bytes(size: str) -> int | None:
    return parse_size(size, "worker_memory") if size else None


def _watch() -> Callable[[ChildConfig], None]:
    from jobdeck.cli.watch import Watch

    return lambda config: Watch(config, parent=int(sys.argv[2])).run()


def _prepare() -> Callable[[ChildConfig], None]:
    return lambda _: None


ROLES: dict[str, Callable[[], Callable[[ChildConfig], None]]] = {
    "web": _web,
    "maintenance": _maintenance,
    "pool": _pool,
    "watch": _watch,
    "prepare": _prepare,
}


def read_line() -> bytes:
    """The next line of standard input; empty at its end. Nothing after it is read yet."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return bytes(line)


def _follow(parent: int) -> None:
    """End when the parent does, even if it is killed."""
    guard.die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _follow_by_pipe() -> None:
    """The same where the system sends no signal: its end closes standard input."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        guard.die()

    if not sys.platform.startswith("linux"):
        threading.Thread(target=wait, daemon=True, name="lifeline").start()


def main(role: str, parent: int) -> int:
    """Be that child until told to end; returns the exit code."""
    _follow(parent)
    # A terminal's Ctrl-C is the supervisor's to hear. Not SIG_IGN: workers would inherit that.
    signal.signal(signal.SIGINT, lambda *_: None)
    gc.disable()  # what is imported stays
    log: Any = logs.import_structlog().get_logger()
    run = ROLES[role]()
    gc.freeze()
    gc.enable()
    line = read_line()
    if not line:
        return 0
    config = msgspec.json.decode(line, type=ChildConfig)
    logs.configure(config.settings, role)
    try:
        if config.answers >= 0:
            from jobdeck.cli.prepare import serve_preparation

            if not serve_preparation(config):
                return 1
        _follow_by_pipe()
        run(config)
    except JobdeckError as error:
        log.error(f"{role} cannot go on", error=str(error))
        return error.exit_code
    except Exception:
        log.exception(f"{role} met an error that it did not foresee")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
