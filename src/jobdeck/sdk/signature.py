"""Which arguments a step takes: the context, the result of the step before, parameters."""

import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct

from jobdeck.domain.errors import InvalidValue

CONTEXT_TEXTS = {"Context", "jobdeck.Context", "sdk.Context"}
WHOLE = "params"
"""A step's parameter of this name takes all parameters at once."""


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter that a step takes by name; `default` UNSET: it must be given."""

    name: str
    annotation: Any = Any
    default: Any = UNSET
    step: str = ""


class Signature(Struct, frozen=True, kw_only=True):
    """The arguments of a step, in the order in which they are passed."""

    takes_context: bool = False
    result_name: str = ""
    result_type: Any = Any
    takes_whole: bool = False
    parameters: list[Parameter] = []
    takes_rest: bool = False


def read_signature(
    function: Callable[..., Any], step: str, first: bool, scope: dict[str, Any] | None = None
) -> Signature:
    """The signature of a step function.

    The first argument is the context if it is called `ctx` or annotated `Context`. In all
    steps but the `first`, the next positional one is the result of the step before. All others
    are parameters. `scope` holds names local to where the function was defined.

    Raises:
        InvalidValue: it takes what no step can be given.
    """
    try:
        arguments = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise InvalidValue(step, "is not a function whose arguments can be read") from None
    hints = _Hints(function, scope)
    found: dict[str, Any] = {}
    if arguments and _is_context(arguments[0], hints):
        found["takes_context"] = True
        del arguments[0]
    if not first and arguments and arguments[0].kind in _POSITIONAL:
        name = arguments[0].name
        found |= {"result_name": name, "result_type": hints.of(name, Any)}
        del arguments[0]
    parameters: list[Parameter] = []
    for argument in arguments:
        _check_kind(argument, step, hints)
        if argument.kind is argument.VAR_KEYWORD:
            found["takes_rest"] = True
        elif argument.name == WHOLE:
            found["takes_whole"] = True
        else:
            parameters.append(_parameter(argument, step, hints))
    return Signature(parameters=parameters, **found)


_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class _Hints:
    """The annotations of a function, each resolved by itself when it is asked for."""

    def __init__(self, function: Callable[..., Any], scope: dict[str, Any] | None) -> None:
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        owner = function if hasattr(function, "__annotations__") else type(function).__call__
        self._raw: dict[str, Any] = dict(getattr(owner, "__annotations__", {}))
        module = sys.modules.get(getattr(function, "__module__", ""), None)
        self._globals = getattr(function, "__globals__", None) or vars(module or typing)
        self._scope = scope or {}

    def text(self, name: str) -> object:
        return self._raw.get(name)

    def of(self, name: str, otherwise: Any) -> Any:
        """The annotation of that argument; `otherwise` if it cannot be resolved."""
        if name not in self._raw:
            return Any
        holder = types.SimpleNamespace(__annotations__={name: self._raw[name]})
        try:
            hints = typing.get_type_hints(holder, self._globals, self._scope, include_extras=True)
        except Exception:  # an annotation may be any expression
            return otherwise
        return hints[name]


def _is_context(argument: inspect.Parameter, hints: _Hints) -> bool:
    if argument.kind not in _POSITIONAL:
        return False
    raw = hints.text(argument.name)
    if isinstance(raw, str) and raw in CONTEXT_TEXTS:
        return True
    if raw is None:
        return argument.name == "ctx"
    return _is_context_type(hints.of(argument.name, Any)) or argument.name == "ctx"


def _is_context_type(annotation: object) -> bool:
    # By name: importing the context here would import half the package.
    return isinstance(annotation, type) and any(
        kind.__module__ == "jobdeck.sdk.context" and kind.__name__ == "Context"
        for kind in annotation.__mro__
    )


def _check_kind(argument: inspect.Parameter, step: str, hints: _Hints) -> None:
    name = argument.name
    if argument.kind is argument.VAR_POSITIONAL:
        raise InvalidValue(step, f"takes *{name}; parameters are passed by name, so name them")
    if argument.kind is argument.POSITIONAL_ONLY:
        raise InvalidValue(step, f"takes {name!r} by position only; parameters come by name")
    if _is_context(argument, hints):
        raise InvalidValue(step, f"takes the context as {name!r}; it must come first")


def _parameter(argument: inspect.Parameter, step: str, hints: _Hints) -> Parameter:
    unresolved = object()
    annotation = hints.of(argument.name, unresolved)
    if annotation is unresolved:
        raise InvalidValue(
            step,
            f"the annotation {hints.text(argument.name)!r} of {argument.name!r} cannot be "
            "resolved; import it at run time, not only under TYPE_CHECKING",
        )
    default = UNSET if argument.default is argument.empty else argument.default
    return Parameter(name=argument.name, annotation=annotation, default=default, step=step)
