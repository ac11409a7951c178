"""`jobdeck up`: web server, maintenance and worker pool together, from one command."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import rich_click as click

from jobdeck.cli.options import base_path, host, pool_size, port, store

if TYPE_CHECKING:
    from jobdeck.cli.prepare import Answer
    from jobdeck.client.settings import Settings
    from jobdeck.domain.manifest import LoadReport
    from jobdeck.engine.supervisor import ChildSpec, Supervisor

READY_S = 60.0


@click.command()
@click.argument("target", required=False)
@store
@host
@port
@base_path
@pool_size
@click.option("--demo", is_flag=True, help="Load the example pipelines.")
@click.option("--reload", is_flag=True, help="Load the target again whenever its files change.")
def up(target: str | None, demo: bool, reload: bool, **flags: Any) -> int:
    """Start the dashboard and a worker pool for TARGET.

    TARGET is a module or a file that defines pipelines. Without one, only the dashboard and the
    schedules run.
    """
    from jobdeck.client import settings

    if demo and target:
        raise click.UsageError("--demo loads the examples; leave TARGET out, or --demo.")
    if demo:
        target = demo_target()
    if reload and not target:
        raise click.UsageError("--reload needs a TARGET to watch.")
    return Start(settings.read(flags), target or "", reload=reload).run()


def demo_target() -> str:
    """The file that defines the examples.

    Raises:
        StartFailed: they were not installed.
    """
    import jobdeck
    from jobdeck.domain.errors import StartFailed

    package = Path(jobdeck.__file__).parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / "demo.py").is_file():
            return str(folder / "demo.py")
    raise StartFailed(
        "The examples are not installed; run `jobdeck new` for a pipeline to start from."
    )


class Start:
    """One start of everything: first what can be refused, then what changes something."""

    def __init__(self, settings: "Settings", target: str, *, reload: bool = False) -> None:
        self.settings = settings
        self.target = target
        self.reload = reload
        self.workers = settings.workers or processors()
        self.start_token = new_token()

    def run(self) -> int:
        """Start, and watch over it until told to end; returns the exit code."""
        from jobdeck.cli.prepare import Preparation
        from jobdeck.engine.supervisor import Supervisor
        from jobdeck.http import listening

        listener = listening.listen(self.settings)
        with listener, Supervisor() as supervisor:
            # It waits for its configuration, and imports meanwhile what takes longest.
            supervisor.warm_up(self._spec("web", listener))
            with Preparation() as preparation:
                preparation.begin(self._config())
                report = load(self.target)
                preparation.checked()
                answer = preparation.commit(report.pipelines)
            self._start_all(supervisor, listener, report)
            address = listening.address(self.settings, listener)
            say_when_ready(address, lambda: self._banner(address, report, answer))
            return supervisor.run()

    def _start_all(
        self, supervisor: "Supervisor", listener: socket.socket, report: "LoadReport"
    ) -> None:
        supervisor.keep(self._spec("web", listener))
        supervisor.keep(self._spec("maintenance"))
        if self.target:
            supervisor.keep(self._spec("pool"))
        if self.reload:
            supervisor.keep(self._spec("watch", files=report.files))

    def _config(self, **more: Any) -> Any:
        from jobdeck.cli.child import ChildConfig

        return ChildConfig(settings=self.settings, target=self.target, workers=self.workers, **more)

    def _spec(
        self, role: str, listener: socket.socket | None = None, files: list[str] | None = None
    ) -> "ChildSpec":
        return child_spec(
            role,
            self._config(
                files=files or [],
                listener=listener.fileno() if listener else -1,
                start_token=self.start_token if role == "web" else "",
            ),
        )

    def _banner(self, address: str, report: "LoadReport", answer: "Answer") -> None:
        from jobdeck.cli import banner

        banner.show(
            link=f"{address}/sign-in?token={self.start_token}",
            store=answer.store,
            runs=banner.summary(self.target, report, self.workers) if self.target else "",
            reload=self.reload,
        )


def child_spec(role: str, config: Any) -> "ChildSpec":
    """What the supervisor needs to start that child."""
    import msgspec

    from jobdeck.cli.child import argv
    from jobdeck.engine.supervisor import ChildSpec

    return ChildSpec(
        name=role,
        argv=argv(role),
        config=msgspec.json.encode(config),
        fds=(config.listener,) if config.listener >= 0 else (),
    )


def load(target: str) -> "LoadReport":
    """What the target defines; nothing without one.

    Raises:
        LoadFailed: it cannot be loaded.
    """
    from jobdeck.domain.manifest import LoadReport
    from jobdeck.worker.loader import load_manifests

    return load_manifests(target) if target else LoadReport()


def new_token() -> str:
    """A token that nobody can guess."""
    import secrets

    return secrets.token_urlsafe(24)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def say_when_ready(address: str, say: Any) -> None:
    """Call `say` once the server at that address answers; the call returns at once.

    Its socket listens already: a request waits there until the server takes it.
    """

    def wait() -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if answers(address):
                say()
                return
            time.sleep(0.05)

    threading.Thread(target=wait, daemon=True, name="ready").start()


def answers(address: str) -> bool:
    """Whether the server at that address says that it lives."""
    import http.client

    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=READY_S)
    try:
        connection.request("GET", f"{parts.path}/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
