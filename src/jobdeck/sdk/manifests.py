"""What others are told of a pipeline, the same from every process that loads its code."""

from __future__ import annotations

import hashlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobdeck.domain.manifest import PipelineManifest, StepManifest

if TYPE_CHECKING:
    from jobdeck.sdk.pipeline import Pipeline


def make_manifest(pipeline: Pipeline) -> PipelineManifest:
    """Describe it.

    Raises:
        InvalidValue: its steps do not fit together.
    """
    plan = pipeline.plan
    single = len(pipeline.steps) == 1
    return PipelineManifest(
        name=pipeline.name,
        steps=[
            StepManifest(name=step.name, doc=step.doc, retry=step.retry, timeout_s=step.timeout_s)
            for step in pipeline.steps
        ],
        doc=pipeline.doc or (pipeline.steps[0].doc if single else ""),
        queue=pipeline.queue,
        priority=pipeline.priority,
        params_schema=plan.params.schema,
        retry=pipeline.retry,
        timeout_s=pipeline.timeout_s,
        memory=pipeline.memory,
        coroutine=plan.coroutine and pipeline.memory is None,
        search=pipeline.search,
        schedules=pipeline.schedules,
        unique=pipeline.unique,
        source=_source(pipeline),
        code_hash=_code_hash(pipeline),
    )


def defining_files(pipeline: Pipeline) -> list[Path]:
    """The files that define the pipeline and its steps, without those that are not on disk."""
    names = {pipeline.file}
    for step in pipeline.steps:
        code = getattr(inspect.unwrap(step.function), "__code__", None)
        if code is not None:
            names.add(code.co_filename)
    return sorted(path for path in map(Path, names) if path.is_file())


def _code_hash(pipeline: Pipeline) -> str:
    # By content alone: the same code in another folder or on another host is the same.
    digests = sorted(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in defining_files(pipeline)
    )
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16] if digests else ""


def _source(pipeline: Pipeline) -> str:
    """The defining file by its module's name, which is the same wherever it lies."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == pipeline.file:
            return _module_file(name, module)
    return Path(pipeline.file).name


def _module_file(name: str, module: Any) -> str:
    assert module.__file__ is not None
    if name == "__main__":
        spec = getattr(module, "__spec__", None)
        name = spec.name if spec else Path(module.__file__).stem
    if Path(module.__file__).name == "__init__.py":
        name += ".__init__"
    return name.replace(".", "/") + ".py"
