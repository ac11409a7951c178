"""Fanning out: jobs made by a job, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.sdk import jsonable
from jobdeck.sdk.enqueue import plain_params
from jobdeck.sdk.pipeline import Pipeline
from jobdeck.sdk.step_run import StepRun

FailsWhen = Literal["all", "any", "never"]
MAP_ITEMS = 500
PAGE = 500


class ChildResult(Struct, frozen=True, kw_only=True):
    """A child that ended. `index` is its place among the items of `ctx.map` in `step`.
    Unless its status is completed, `result` is None and `error` says why."""

    id: int
    index: int
    status: str
    result: Any = None
    error: str = ""
    params: Any = None
    step: str = ""


def map_items(
    run: StepRun,
    step: str,
    target: Pipeline | str,
    items: Iterable[object],
    fails_when: FailsWhen = "all",
) -> int:
    """Create a child for each item, in bounded portions, and give their number.

    Each portion says at which index it starts; the pool leaves out those that exist, so that
    a step that is tried again does not make its children twice.
    """
    flow, manifest = _target(target)
    made = 0
    source = iter(items)
    while portion := list(islice(source, MAP_ITEMS)):
        body = {
            "step": step,
            "flow": flow,
            "items": [_params(target, item, made + n) for n, item in enumerate(portion)],
            "start": run.mapped,
            "manifest": manifest,
            "fails_when": fails_when,
        }
        run.mapped += len(portion)
        made += len(portion)
        run.reports = True
        run.runtime.call(run.job, "map", body)
    return made


def iterate(run: StepRun) -> Iterator[ChildResult]:
    """The children of the job by number, fetched by the page."""
    after = 0
    while True:
        page = run.runtime.call(run.job, "children", {"after": after, "limit": PAGE})
        for raw in page:
            child = _child(raw)
            after = child.id
            yield child
        if len(page) < PAGE:
            return


def _child(raw: dict[str, Any]) -> ChildResult:
    error = raw.get("error") or ""
    if isinstance(error, dict):
        error = error.get("message", "")
    return ChildResult(
        id=raw["id"],
        index=raw["index"],
        status=raw["status"],
        result=_value(raw.get("result")),
        error=str(error),
        params=_value(raw.get("params")),
        step=raw.get("step", ""),
    )


def _value(raw: Any) -> Any:
    return msgspec.json.decode(raw) if isinstance(raw, bytes) else raw


def _target(target: Pipeline | str) -> tuple[str, PipelineManifest | None]:
    if isinstance(target, Pipeline):
        return target.name, target.manifest
    if isinstance(target, str):
        return target, None
    raise InvalidValue("map", f"{target!r} is neither a pipeline nor the name of a flow")


def _params(target: Pipeline | str, item: object, index: int) -> dict[str, Any]:
    try:
        if isinstance(target, Pipeline):
            return plain_params(target, item, {})
        plain = jsonable.builtins(item)
    except (InvalidValue, TypeError) as error:
        raise InvalidValue(f"items[{index}]", str(error)) from None
    if not isinstance(plain, dict):
        raise InvalidValue(f"items[{index}]", "must be a dict or model of parameters")
    return plain
