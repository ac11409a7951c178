"""The parameters of a pipeline in words, from their JSON Schema."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from jobdeck.web import formats, params_form

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "array": "list",
    "object": "object",
}
_FORMATS = {
    "date": "date",
    "date-time": "date and time",
    "time": "time",
    "duration": "duration",
    "email": "e-mail address",
    "uri": "web address",
    "uuid": "UUID",
}


class Parameter(Struct, frozen=True, kw_only=True):
    """One parameter; `default` is JSON, or empty where there is none."""

    name: str
    words: str
    required: bool = False
    default: str = ""
    text: str = ""


def parameters(schema: Mapping[str, Any]) -> list[Parameter]:
    """Every parameter that the schema names, in its order."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return []
    needed = set(schema.get("required", ()))
    return [
        _parameter(name, params_form.resolve(part, schema), name in needed)
        for name, part in properties.items()
    ]


def _parameter(name: str, part: Mapping[str, Any], required: bool) -> Parameter:
    has_default = "default" in part
    return Parameter(
        name=name,
        words=describe(part),
        required=required and not has_default,
        default=formats.inline(part["default"]) if has_default else "",
        text=str(part.get("description") or ""),
    )


def describe(part: Mapping[str, Any]) -> str:
    """What a value may be, such as "whole number from 1 to 30"."""
    if isinstance(part.get("enum"), list):
        words = "one of " + ", ".join(str(each) for each in part["enum"])
    elif "const" in part:
        words = f"always {formats.inline(part['const'])}"
    else:
        words = _typed(part)
    return f"{words}, or nothing" if params_form.nullable(part) else words


def _typed(part: Mapping[str, Any]) -> str:
    kind = params_form.type_of(part)
    if not kind:
        return "any value"
    if kind == "string":
        return _FORMATS.get(str(part.get("format")), "text") + _span(
            part.get("minLength"), part.get("maxLength"), "character", "characters"
        )
    if kind in ("integer", "number"):
        return _TYPES[kind] + _bounds(part)
    if kind == "array":
        items = part.get("items")
        of = f" of {describe(items)}" if isinstance(items, dict) and items else ""
        return "list" + of + _span(part.get("minItems"), part.get("maxItems"), "item", "items")
    return _TYPES.get(kind, kind)


def _bounds(part: Mapping[str, Any]) -> str:
    low, above = part.get("minimum"), part.get("exclusiveMinimum")
    high, below = part.get("maximum"), part.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    words = [
        f"{word} {value}"
        for word, value in (
            ("from", low),
            ("above", above),
            ("up to", high),
            ("below", below),
        )
        if value is not None
    ]
    return f" {' and '.join(words)}" if words else ""


def _span(low: Any, high: Any, one: str, many: str) -> str:
    if low and high is not None:
        return f", {low} to {high} {many}"
    if low:
        return f", at least {low} {one if low == 1 else many}"
    if high is not None:
        return f", at most {high} {one if high == 1 else many}"
    return ""
