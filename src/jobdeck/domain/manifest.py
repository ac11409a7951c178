"""What a loader tells of the pipelines in a module, so that nobody else need import it."""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain.retry import RetryPolicy

_ADDED_LATER: dict[str, Any] = {"memory": None, "coroutine": False, "unique": "", "search": []}


class StepManifest(Struct, frozen=True, kw_only=True):
    """A step as it was defined; None means: as the pipeline says."""

    name: str
    doc: str = ""
    retry: RetryPolicy | None = None
    timeout_s: float | None = None


class PipelineManifest(Struct, frozen=True, kw_only=True):
    """A pipeline as it was defined in code.

    `memory` is the most bytes that one of its jobs may take, `params_schema` the JSON Schema of
    its parameters, `search` names those by which its jobs are found quickly. Jobs of a
    `coroutine` may run side by side in one worker. `unique` is what becomes of a job with the
    same parameters as an open one: nothing (empty), reject or keep. `fingerprint` changes
    whenever the definition or the code of its files does; where these lie (`source`) does not
    matter.
    """

    name: str
    steps: list[StepManifest]
    doc: str = ""
    queue: str = "default"
    priority: int = 0
    params_schema: dict[str, Any] = {}
    retry: RetryPolicy = RetryPolicy()
    timeout_s: float | None = None
    memory: int | None = None
    coroutine: bool = False
    search: list[str] = []
    schedules: list[dict[str, Any]] = []
    source: str = ""
    code_hash: str = ""
    unique: str = ""

    @property
    def fingerprint(self) -> str:
        """A digest over all but the place of its file. What later versions of Jobdeck have
        added counts only where it is used, so that old and new ones find the same."""
        told = msgspec.to_builtins(msgspec.structs.replace(self, source=""))
        for name, default in _ADDED_LATER.items():
            if told[name] == default:
                del told[name]
        data = msgspec.json.encode(told, order="sorted")
        return hashlib.sha256(data).hexdigest()[:16]


class LoadReport(Struct, frozen=True, kw_only=True):
    """What the loader found, or the error that it met."""

    pipelines: list[PipelineManifest] = []
    files: list[str] = []
    error: str = ""
    traceback: str = ""
