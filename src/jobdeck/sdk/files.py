"""`ctx.files`: files that a job keeps, in a folder of its own that all its steps share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.sdk.runtime import JobView, Runtime

MOST_FILES = 10_000


class Files:
    """The folder `<files>/<job>`; names are relative to it and use `/`."""

    def __init__(self, job: JobView, runtime: Runtime) -> None:
        self._job = job
        self._runtime = runtime
        self._folder = Path(os.path.abspath(runtime.files_dir)) / str(job.job)  # noqa: PTH100
        self._entered = {name: _mark(path) for name, path in self._walk().items()}

    def path(self, name: str) -> Path:
        """Where the file of that name is, or is to be; its folder exists.

        Raises:
            InvalidValue: the name leads out of the job's folder.
        """
        path = self._folder / _check(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def open(self, name: str, mode: str = "r", **how: Any) -> IO[Any]:
        """Open it as `open` does; text is UTF-8 unless `encoding` says otherwise.

        Raises:
            InvalidValue: the name leads out of the job's folder.
            NotFound: it is to be read, and there is none.
        """
        if "b" not in mode:
            how.setdefault("encoding", "utf-8")
        try:
            return self.path(name).open(mode, **how)
        except FileNotFoundError:
            raise NotFound("file", name, f"Job {self._job.job} has: {self._listed()}.") from None

    def save(self, name: str, content: bytes | str) -> Path:
        """Write it whole: a reader sees the old content or the new.

        Raises:
            InvalidValue: the name leads out of the job's folder.
        """
        path = self.path(name)
        data = content.encode() if isinstance(content, str) else content
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)
        self._enter(name, path)
        return path

    def list(self) -> Sequence[str]:
        """The names of the job's files, earlier steps' included, sorted."""
        return sorted(self._walk())

    def enter_all(self) -> None:
        """Tell of the files that are new or changed."""
        for name, path in self._walk().items():
            self._enter(name, path)

    def _enter(self, name: str, path: Path) -> None:
        name = str(PurePosixPath(name))
        mark = _mark(path)
        if self._entered.get(name) != mark:
            self._entered[name] = mark
            self._runtime.keep_file(self._job, name, f"{self._job.job}/{name}", mark[0])

    def _walk(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder, folders, names in os.walk(self._folder):
            folders.sort()
            for name in names:
                path = Path(folder, name)
                if not (name.startswith(".") and name.endswith(".part")) and path.is_file():
                    found[path.relative_to(self._folder).as_posix()] = path
            if len(found) >= MOST_FILES:
                break
        return found

    def _listed(self) -> str:
        return ", ".join(self.list()[:10]) or "none"


def _check(name: str) -> str:
    parts = PurePosixPath(name).parts
    if (
        not parts
        or len(name) > 500
        or name.startswith("/")
        or "\\" in name
        or not name.isprintable()
        or ".." in parts
    ):
        raise InvalidValue(
            "file name", f"{name!r} will not do; use a name such as 'rows.csv' or 'raw/rows.csv'"
        )
    return name


def _mark(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns
