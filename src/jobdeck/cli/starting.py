"""What the commands that start processes have in common."""

import functools
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from jobdeck.cli.child import ChildConfig
    from jobdeck.cli.prepare import Answer
    from jobdeck.client.settings import Settings
    from jobdeck.domain.manifest import LoadReport
    from jobdeck.engine.supervisor import ChildSpec, Supervisor

READY_S = 60.0


class Plan:
    """What a start is about: the settings, the target, and how many workers run it: at least
    `least`, unless the settings say. `first` is the flow of which a job is created."""

    def __init__(
        self, settings: "Settings", target: str, *, first: str = "", least: int = 1
    ) -> None:
        """Raises StartFailed where the settings ask for what this version has not."""
        from jobdeck.domain.errors import StartFailed

        if settings.executor != "local":
            raise StartFailed(
                f"The executor {settings.executor} is not available yet; leave it out, or set it "
                "to local."
            )
        self.settings = settings
        self.target = target
        self.first = first
        self.workers = settings.workers or max(processors(), least)

    def spec(self, role: str, **more: Any) -> "ChildSpec":
        """What the supervisor needs to start that child."""
        import msgspec

        from jobdeck.cli.child import argv
        from jobdeck.engine.supervisor import ChildSpec

        config = self.config(**more)
        return ChildSpec(
            name=role,
            argv=argv(role),
            config=msgspec.json.encode(config),
            fds=tuple(fd for fd in (config.listener, config.answers) if fd >= 0),
        )

    def config(self, **more: Any) -> "ChildConfig":
        """What a child is told."""
        from jobdeck.cli.child import ChildConfig

        return ChildConfig(settings=self.settings, target=self.target, workers=self.workers, **more)

    def prepare(
        self, supervisor: "Supervisor", role: str, **more: Any
    ) -> tuple["LoadReport", "Answer"]:
        """Load the target and look at the store, both at once; if nothing is wrong with either,
        make the store ready. The child of that role does so before it begins its own work, which
        saves a process; it is kept alive from then on.

        Raises:
            LoadFailed: the target cannot be loaded; nothing has changed.
            JobdeckError: the store cannot be used; nothing has changed.
        """
        from jobdeck.cli.prepare import Preparation

        with Preparation() as preparation:
            told = {**more, "answers": preparation.answers, "first": self.first}
            supervisor.warm_up(self.spec(role, **told))
            preparation.started()
            preparation.tell = functools.partial(supervisor.tell, role)
            preparation.begin(self.config(**told))
            report = load(self.target)
            preparation.checked()
            answer = preparation.commit(report.pipelines)
        supervisor.keep(self.spec(role, **more))
        return report, answer


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


def say_when_ready(address: str, say: Callable[[], None]) -> None:
    """Call `say` once the server at that address answers; this returns at once.

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
