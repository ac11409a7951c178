"""Loading the module or file that defines pipelines."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Sequence
from functools import partial
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType

from msgspec import Struct

from jobdeck.domain.errors import InvalidValue, JobdeckError, LoadFailed
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.sdk import failure, registry, transport
from jobdeck.sdk.pipeline import Pipeline
from jobdeck.sdk.transport import EnqueueItem


class Loaded(Struct, frozen=True, kw_only=True):
    """The pipelines that a target defines, by name, and the files of its own that it loaded."""

    pipelines: dict[str, Pipeline] = {}
    files: list[str] = []


def load_target(target: str) -> Loaded:
    """Import a module by its name, or a `.py` file by its path; an empty target defines nothing.

    Raises:
        LoadFailed: it cannot be imported, or defines no pipelines; `detail` is the traceback.
    """
    if not target:
        return Loaded()
    with transport.using(_Refusing(target)):
        try:
            root = _import_file(target) if _is_file(target) else _import_module(target)
            pipelines = registry.every()
            _check(target, pipelines)
        except LoadFailed:
            raise
        except BaseException as error:  # whatever user code raises
            raise LoadFailed(_sentence(target, error), failure.trace(error)) from None
    if not pipelines:
        raise LoadFailed(
            f"{target} defines no pipelines; put @job over a function, or make a Pipeline."
        )
    return Loaded(pipelines=pipelines, files=_files_under(root))


def _check(target: str, pipelines: dict[str, Pipeline]) -> None:
    for pipeline in pipelines.values():
        try:
            _ = pipeline.manifest
        except InvalidValue as error:
            where = f"{pipeline.file}, line {pipeline.line}"
            raise LoadFailed(f"{target} cannot be loaded: {where}: {error}") from None


class _Refusing:
    """Loading code must not create jobs: it is loaded often."""

    def __init__(self, target: str) -> None:
        self._target = target

    def enqueue(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None = None
    ) -> list[int]:
        """Refuse."""
        del items, manifest
        raise LoadFailed(
            f"{self._target} enqueues jobs while it is loaded, which would happen in every "
            'worker; put that under `if __name__ == "__main__":`.'
        )


def _is_file(target: str) -> bool:
    return target.endswith(".py") or "/" in target or Path(target).exists()


def _import_module(name: str) -> Path:
    root = Path.cwd()
    _prefer(root)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise LoadFailed(
            f"There is no module {name!r} in {root} or among the installed packages; give the "
            "name of a module, or the path of a .py file."
        ) from None
    return root


def _import_file(target: str) -> Path:
    path = Path(target).resolve()
    if not path.exists():
        raise LoadFailed(f"There is no file {target}; give the path of a .py file or a module.")
    if path.is_dir():
        raise LoadFailed(f"{target} is a folder; give a .py file in it, or the name of a module.")
    if path.suffix != ".py":
        raise LoadFailed(f"{target} is no Python file; its name must end in .py.")
    root, names = path.parent, [path.stem]
    while (root / "__init__.py").exists() and root.name.isidentifier():
        names.insert(0, root.name)
        root = root.parent
    _prefer(root)
    if len(names) > 1:
        if names[-1] == "__init__":
            names.pop()
        importlib.import_module(".".join(names))
    else:
        _execute(path)
    return root


def _execute(path: Path) -> ModuleType:
    name = path.stem if path.stem not in sys.modules else f"jobdeck_target_{path.stem}"
    loader = _FromSource(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


class _FromSource(SourceFileLoader):
    """Compiles a file whenever it is loaded. What Python keeps of it counts as current if the
    file had the same size and was saved in the same second: jobs would run older code than what
    their version names."""

    def get_code(self, fullname: str) -> CodeType:
        """The code as the file has it now."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _prefer(root: Path) -> None:
    if sys.path[:1] != [str(root)]:
        sys.path.insert(0, str(root))
    sys.path_hooks.insert(0, partial(_finder, root))
    sys.path_importer_cache.pop(str(root), None)


def _finder(root: Path, folder: str) -> FileFinder:
    """Finds modules of the user's own in a folder."""
    if not _is_own(Path(folder).resolve(), root):
        raise ImportError
    extensions = (ExtensionFileLoader, EXTENSION_SUFFIXES)
    return FileFinder(folder, extensions, (_FromSource, SOURCE_SUFFIXES))


def _is_own(path: Path, root: Path) -> bool:
    outside = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    outside.add(Path(failure.__file__).parents[1])
    return path.is_relative_to(root) and not any(path.is_relative_to(f) for f in outside)


def _files_under(root: Path) -> list[str]:
    found: set[str] = set()
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not isinstance(name, str) or not name.endswith(".py"):
            continue
        path = Path(name).resolve()
        if _is_own(path, root):
            found.add(str(path))
    return sorted(found)


def _sentence(target: str, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
        return f"{target} cannot be loaded: {where}: {error.msg}."
    if isinstance(error, SystemExit):
        return (
            f"{target} called sys.exit({error.code!r}) while it was loaded; put what runs the "
            'program under `if __name__ == "__main__":`.'
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (
            f"{target} cannot be loaded: it imports {error.name!r}, which is not installed in "
            f"{sys.prefix}."
        )
    if isinstance(error, JobdeckError):
        return f"{target} cannot be loaded: {failure.text(error)}"
    return f"{target} cannot be loaded: {failure.type_text(error)}: {failure.text(error)}"
