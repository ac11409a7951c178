"""`--reload`: when the files of a target change, load them again and let the pool know."""

import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from watchfiles import PythonFilter, watch

from jobdeck.cli.child import ChildConfig
from jobdeck.cli.complaint import explain
from jobdeck.cli.prepare import prepare_once
from jobdeck.domain.errors import JobdeckError
from jobdeck.worker.loader import load_manifests

log: Any = structlog.get_logger()

_NOTICE_MS = 200
"""Changes that follow one another so closely are one: an editor saves in several steps."""


class Watch:
    """Runs beside the pool, which goes on with the old code while the new one is wrong."""

    def __init__(self, config: ChildConfig, *, parent: int) -> None:
        self._config = config
        self._parent = parent
        self._end = threading.Event()

    def run(self) -> None:
        """Watch until told to end."""
        signal.signal(signal.SIGTERM, lambda *_: self._end.set())
        files = self._config.files or [self._config.target]
        while not self._end.is_set():
            folders = folders_of(files)
            for changes in watch(
                *folders,
                watch_filter=PythonFilter(),
                debounce=_NOTICE_MS,
                step=20,
                stop_event=self._end,
                raise_interrupt=False,
            ):
                files = self._reload({path for _, path in changes}) or files
                if folders_of(files) != folders:
                    break

    def _reload(self, changed: set[str]) -> list[str]:
        """The files of the target as it is now; none if it cannot be loaded."""
        names = ", ".join(sorted(Path(path).name for path in changed))
        try:
            report = load_manifests(self._config.target)
            prepare_once(self._config, report.pipelines)
        except JobdeckError as error:
            log.error(f"new code not loaded, the old one stays in use: {explain(error)}")
            return []
        os.kill(self._parent, signal.SIGUSR1)
        log.info("new code loaded", changed=names, pipelines=len(report.pipelines))
        return report.files


def folders_of(files: Iterable[str]) -> list[Path]:
    """The folders to watch, none of them inside another."""
    folders = sorted({Path(name).resolve().parent for name in files})
    return [
        folder
        for folder in folders
        if not any(other != folder and folder.is_relative_to(other) for other in folders)
    ]
