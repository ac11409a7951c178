"""Values of user code as JSON and back, pydantic models and paths included."""

import sys
from pathlib import PurePath
from typing import Any

import msgspec

from jobdeck.domain import limits
from jobdeck.domain.errors import InvalidValue


class NotJson(InvalidValue):
    """A value that cannot be kept as JSON, or only by cutting it."""


def is_pydantic(kind: object) -> bool:
    """Whether it is a pydantic model class; never imports pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def plain(value: Any) -> Any:
    """What `msgspec` is given for a value that it does not know.

    Raises:
        TypeError: nobody knows how to write it.
    """
    kind = type(value)
    if is_pydantic(kind):
        return value.model_dump(mode="json")
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {kind.__qualname__} is not JSON")


def revive(kind: type, value: Any) -> Any:
    """What `msgspec` is given for a type that it does not know; the reverse of `plain`.

    Raises:
        ValueError: the value does not fit.
        NotImplementedError: the type cannot come from JSON.
    """
    if is_pydantic(kind):
        return kind.model_validate(value)  # type: ignore[attr-defined]
    if issubclass(kind, PurePath):
        if not isinstance(value, str):
            raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
        return kind(value)
    raise NotImplementedError(f"type {kind.__qualname__} cannot come from JSON")


def can_revive(kind: object) -> bool:
    """Whether `revive` knows the type."""
    return is_pydantic(kind) or (isinstance(kind, type) and issubclass(kind, PurePath))


_to_builtins = msgspec.to_builtins
_encoder = msgspec.json.Encoder(enc_hook=plain)


def encode(value: Any, name: str = "result") -> bytes:
    """The value as JSON of at most `limits.RESULT_BYTES`.

    Raises:
        NotJson: it is not, or is larger; the error names its type or size.
    """
    try:
        data = _encoder.encode(value)
    except Exception as error:  # whatever a user's object raises
        raise NotJson(
            name,
            f"a {type_name(value)} that is not JSON ({_safe(error)}); use dicts, lists, texts, "
            "numbers, dataclasses or models, and ctx.files for the rest",
        ) from None
    if len(data) > limits.RESULT_BYTES:
        raise NotJson(
            name,
            f"a {type_name(value)} of {len(data):,} bytes of JSON is over the limit of "
            f"{limits.RESULT_BYTES:,}; keep large data in ctx.files and return its name",
        )
    return data


def builtins(value: Any) -> Any:
    """The value made of dicts, lists, texts and numbers only.

    Raises:
        TypeError: it cannot be.
    """
    return _to_builtins(value, enc_hook=plain, str_keys=True)


def type_name(value: object) -> str:
    """The name of the value's class, with its module unless that is builtins."""
    kind = type(value)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _safe(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return type(error).__name__
