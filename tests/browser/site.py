"""A server process over a store of its own, for tests and pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import StorageState

from jobdeck.store import schema
from jobdeck.store.database import Store
from tests.browser.world import World
from tests.integration.launched import Launched, environment

TOKEN = "open-sesame"
WIDE = (1440, 900)
PHONE = (390, 844)
_ARGS = (
    *("--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


def chromium_args() -> list[str]:
    """How Chromium is started: as root only without its sandbox."""
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return [*root, *_ARGS]


class Site:
    """A server over one store, at one port; it can be ended and started again."""

    def __init__(self, folder: Path, base_path: str = "") -> None:
        self.folder = folder
        self.base_path = base_path
        self.port = 0
        """Chosen by the system at the first start."""
        self.store = Store(f"sqlite:///{folder}/jobs.db")
        schema.ensure(self.store)
        self.world = World(self.store)
        self.launched: Launched | None = None
        self.session: StorageState | None = None
        """That of somebody who is signed in, once somebody has been."""

    @property
    def address(self) -> str:
        """Where its pages begin."""
        return f"http://127.0.0.1:{self.port}{self.base_path}"

    def start(self) -> None:
        """Serve, and wait until it answers."""
        argv = [sys.executable, "-m", "jobdeck.cli", "web", "--port", str(self.port)]
        argv += ["--store", f"sqlite:///{self.folder}/jobs.db"]
        if self.base_path:
            argv += ["--base-path", self.base_path]
        env = environment(JOBDECK_TOKEN=TOKEN)
        self.launch(argv, env)

    def launch(self, argv: list[str], env: dict[str, str]) -> None:
        """Start the server, and wait until it answers."""
        self.launched = Launched(argv, cwd=self.folder, env=env)
        address, _ = self.launched.link()
        self.port = urlsplit(address).port or 0

    def end(self) -> None:
        """Serve no longer."""
        if self.launched is not None:
            self.launched.__exit__(None, None, None)
            self.launched = None

    def close(self) -> None:
        """End it and let go of the store."""
        self.end()
        self.store.close()
