"""A pipeline made ready to run: what is the same for every job is worked out once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect as types

from jobdeck.domain.errors import InvalidValue
from jobdeck.sdk import jsonable
from jobdeck.sdk.model_params import of_model
from jobdeck.sdk.params import Parameters
from jobdeck.sdk.settings import Hints, RetryRules
from jobdeck.sdk.signature import Signature, read_signature
from jobdeck.sdk.signature_params import SignatureParameters

if TYPE_CHECKING:
    from jobdeck.sdk.pipeline import Pipeline, Step

Invoke = Callable[[Any, Any, Any], Any]
"""Calls a step with the context, the result of the step before and the parameters' values."""


class StepPlan:
    """A step made ready to run."""

    __slots__ = ("asynchronous", "invoke", "name", "position", "read_result", "rules", "takes")

    def __init__(
        self, step: Step, position: int, rules: RetryRules, takes: Signature, params: Parameters
    ) -> None:
        self.name = step.name
        self.position = position
        self.rules = step.rules or rules
        self.takes = takes
        self.asynchronous = _is_coroutine(step.function)
        self.invoke = _invoke(step.function, takes, params)
        self.read_result = _result_reader(takes)


class Plan:
    """A pipeline made ready to run. The step of a `single` one is not told of by itself; a
    `coroutine` has no step that needs a thread for itself."""

    __slots__ = ("coroutine", "hints", "name", "params", "single", "steps")

    def __init__(
        self, name: str, steps: list[StepPlan], params: Parameters, hints: Hints, single: bool
    ) -> None:
        self.name = name
        self.steps = steps
        self.params = params
        self.hints = hints
        self.single = single
        self.coroutine = all(step.asynchronous for step in steps)


def make_plan(pipeline: Pipeline) -> Plan:
    """Read the signatures of all steps and fit them to the parameters.

    Raises:
        InvalidValue: they do not fit together; names pipeline, step and argument.
    """
    if not pipeline.steps:
        raise InvalidValue(pipeline.name, "has no steps; add one with @pipeline.step")
    try:
        signatures = [
            read_signature(step.function, step.name, position == 0, step.scope)
            for position, step in enumerate(pipeline.steps)
        ]
        params = _params(pipeline, signatures)
        steps = [
            StepPlan(step, position, pipeline.rules, signature, params)
            for position, (step, signature) in enumerate(
                zip(pipeline.steps, signatures, strict=True)
            )
        ]
    except InvalidValue as error:
        if error.field == pipeline.name:
            raise
        raise InvalidValue(pipeline.name, str(error)) from None
    # A timeout of the step's own runs from the report that the step has begun.
    single = len(steps) == 1 and pipeline.steps[0].timeout_s is None
    return Plan(pipeline.name, steps, params, pipeline.hints, single)


def _params(pipeline: Pipeline, signatures: list[Signature]) -> Parameters:
    if pipeline.model is None:
        rest = any(s.takes_rest or s.takes_whole for s in signatures)
        named = [parameter for s in signatures for parameter in s.parameters]
        return SignatureParameters(named, rest, pipeline.steps[0].doc)
    params = of_model(pipeline.model)
    for signature in signatures:
        for parameter in signature.parameters:
            if parameter.name not in params.names and not params.open:
                raise InvalidValue(
                    parameter.step,
                    f"takes {parameter.name!r}, which {pipeline.model.__name__} does not have; "
                    f"it has: {', '.join(sorted(params.names)) or 'none'}",
                )
    return params


def _is_coroutine(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  an instance with async __call__
    )


def _invoke(function: Callable[..., Any], takes: Signature, params: Parameters) -> Invoke:
    arguments = _arguments(takes, params)
    if arguments is None:
        if takes.takes_context:
            if takes.result_name:
                return lambda ctx, result, _values: function(ctx, result)
            return lambda ctx, _result, _values: function(ctx)
        if takes.result_name:
            return lambda _ctx, result, _values: function(result)
        return lambda _ctx, _result, _values: function()
    if takes.takes_context:
        if takes.result_name:
            return lambda ctx, result, values: function(ctx, result, **arguments(values))
        return lambda ctx, _result, values: function(ctx, **arguments(values))
    if takes.result_name:
        return lambda _ctx, result, values: function(result, **arguments(values))
    return lambda _ctx, _result, values: function(**arguments(values))


def _arguments(takes: Signature, params: Parameters) -> Callable[[Any], dict[str, Any]] | None:
    """What picks the named arguments of a step from the values; None if it takes none."""
    names = tuple(parameter.name for parameter in takes.parameters)
    whole, fields = params.whole, params.fields
    if takes.takes_rest:
        if takes.takes_whole:
            return lambda values: {**fields(values), "params": whole(values)}
        return fields
    if takes.takes_whole:
        return lambda values: {
            "params": whole(values),
            **{name: fields(values)[name] for name in names},
        }
    if not names:
        return None
    if frozenset(names) == params.names and not params.open:
        return fields
    if params.open:
        return lambda values: {name: fields(values)[name] for name in names}
    if len(names) == 1:
        name, get = names[0], attrgetter(names[0])
        return lambda values: {name: get(values)}
    return lambda values: {name: getattr(values, name) for name in names}


def _result_reader(takes: Signature) -> Callable[[bytes], Any]:
    """What makes the result of the step before from JSON, whether it is fresh or kept."""
    if takes.result_type is not Any and _readable(takes.result_type):
        return msgspec.json.Decoder(takes.result_type, dec_hook=jsonable.revive).decode
    return msgspec.json.decode


def _readable(annotation: Any) -> bool:
    try:
        found = types.type_info(annotation)
    except Exception:  # an annotation may be anything
        return False
    seen: set[int] = set()
    return _all_known(found, seen)


def _all_known(found: object, seen: set[int]) -> bool:
    if id(found) in seen:
        return True
    seen.add(id(found))
    if isinstance(found, types.CustomType):
        return jsonable.can_revive(found.cls)
    if isinstance(found, types.ExtType | types.RawType):
        return False
    if isinstance(found, list | tuple):
        return all(_all_known(item, seen) for item in found)
    if isinstance(found, msgspec.Struct):
        return all(_all_known(getattr(found, name), seen) for name in found.__struct_fields__)
    return True
