"""What a loader tells of the pipelines in a module, so that nobody else need import it."""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain.retry import RetryPolicy


class StepManifest(Struct, frozen=True, kw_only=True):
    """A step as it was defined; None means: as the pipeline says."""

    name: str
    doc: str = ""
    retry: RetryPolicy | None = None
    timeout_s: float | None = None


class PipelineManifest(Struct, frozen=True, kw_only=True):
    """A pipeline as it was defined in code.

    `params_schema` is the JSON Schema of its parameters; `fingerprint` changes whenever the
    definition or the code of its files does; where these lie (`source`) does not matter.
    """

    name: str
    steps: list[StepManifest]
    doc: str = ""
    queue: str = "default"
    priority: int = 0
    params_schema: dict[str, Any] = {}
    retry: RetryPolicy = RetryPolicy()
    timeout_s: float | None = None
    schedules: list[dict[str, Any]] = []
    source: str = ""
    code_hash: str = ""

    @property
    def fingerprint(self) -> str:
        """A digest over all but the place of its file."""
        told = msgspec.json.encode(msgspec.structs.replace(self, source=""), order="sorted")
        return hashlib.sha256(told).hexdigest()[:16]


class LoadReport(Struct, frozen=True, kw_only=True):
    """What the loader found, or the error that it met."""

    pipelines: list[PipelineManifest] = []
    files: list[str] = []
    error: str = ""
    traceback: str = ""
