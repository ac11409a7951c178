"""A form made from a pipeline's JSON Schema, and parameters made from the form again."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from jobdeck.domain.errors import InvalidValue
from jobdeck.web.fields import Field

PREFIX = "params."
_NULL = {"type": "null"}
_NULLABLE = "nullable"
WHOLE = "params"
"""The field that holds all parameters as JSON, where the schema tells too little."""

_DEEP = 4


def fields(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[Field]:
    """A field for each parameter that the schema names, with the value that it has now.

    Without properties there is one field for all of them as JSON.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return [_whole(values)]
    if any(name not in properties for name in values):
        return [_whole(values)]
    return list(_fields(schema, values, schema))


def _fields(
    owner: Mapping[str, Any],
    values: Mapping[str, Any],
    schema: Mapping[str, Any],
    path: tuple[str, ...] = (),
) -> Iterator[Field]:
    """The fields of an object; an object in it has fields of its own, where that shows it whole."""
    needed = set(owner.get("required", ()))
    for name, unresolved in owner["properties"].items():
        part = resolve(unresolved, schema)
        value = values.get(name, UNSET)
        if value is UNSET:
            value = part.get("default", UNSET)
        inside = (*path, name)
        if len(inside) < _DEEP and _has_fields(part, value, name in needed):
            yield from _fields(part, {} if value is UNSET else value, schema, inside)
        else:
            yield _field(inside, part, value, name in needed)


def _has_fields(part: Mapping[str, Any], value: Any, required: bool) -> bool:
    properties = part.get("properties")
    if not isinstance(properties, dict) or not properties or nullable(part):
        return False
    if value is UNSET:
        return required
    return isinstance(value, dict) and all(name in properties for name in value)


def _whole(values: Mapping[str, Any]) -> Field:
    text = _text(dict(values))
    return Field(
        name=WHOLE,
        label="Parameters (JSON)",
        kind="area",
        value=text,
        required=True,
        rows=min(max(text.count("\n") + 2, 4), 16),
    )


def _field(path: tuple[str, ...], part: Mapping[str, Any], value: Any, required: bool) -> Field:
    kind, options, step = _kind(part)
    lined = kind == "area" and _is_lined(part) and _fits_lines(value)
    how = "One on each line." if lined else "JSON." if kind == "area" else ""
    field = Field(
        name=f"{PREFIX}{'.'.join(path)}",
        label=" · ".join((*path[:-1], str(part.get("title") or path[-1]))),
        kind=kind,
        hint=" ".join(filter(None, (str(part.get("description") or ""), how))),
        required=required and "default" not in part,
        options=options,
        step=step,
    )
    if kind == "check":
        field.value = value is True
    elif kind == "select":
        field.value = "" if value is UNSET else _text(value)
        if not field.required:
            field.options = [("", "–"), *options]
    elif kind == "area":
        if value is UNSET or value is None:
            field.value = ""
        else:
            field.value = "\n".join(value) if lined else _text(value)
        field.rows = min(max(str(field.value).count("\n") + 1, 3), 12)
    else:
        field.value = "" if value is UNSET or value is None else str(value)
    return field


def _kind(part: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]], str]:
    """The kind of field, its options and its step."""
    if isinstance(part.get("enum"), list):
        return "select", [(_text(each), str(each)) for each in part["enum"]], ""
    match type_of(part):
        case "boolean":
            return "check", [], ""
        case "integer":
            return "number", [], "1"
        case "number":
            return "number", [], "any"
        case "string":
            kinds = {"date": "date", "email": "email", "uri": "url"}
            return kinds.get(str(part.get("format")), "text"), [], ""
        case _:
            return "area", [], ""


def _is_lined(part: Mapping[str, Any]) -> bool:
    """Whether it is a list of texts, which can be written one on each line."""
    items = part.get("items")
    return type_of(part) == "array" and isinstance(items, dict) and items.get("type") == "string"


def _fits_lines(value: Any) -> bool:
    if value is UNSET or value is None:
        return True
    if not isinstance(value, list) or str(next(iter(value), "")).startswith("["):
        return False
    return all(isinstance(each, str) and each and each.splitlines() == [each.strip()]
               for each in value)  # fmt: skip


def type_of(part: Mapping[str, Any]) -> str:
    """The one type beside null that the part allows; empty if there are several."""
    kinds = part.get("type")
    real = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds or []) if kind != "null"]
    return real[0] if len(real) == 1 and isinstance(real[0], str) else ""


def resolve(part: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part itself, where it refers to another, or allows null beside one other."""
    if not isinstance(part, dict):
        return {}
    reference = part.get("$ref", "")
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = schema
        for key in reference[2:].split("/"):
            found = found.get(key, {}) if isinstance(found, dict) else {}
        # The title of what is referred to is the name of its class.
        found = {k: v for k, v in found.items() if k != "title"}
        return {**found, **{k: v for k, v in part.items() if k != "$ref"}}
    choices = part.get("anyOf", [])
    real = [each for each in choices if each != _NULL]
    if len(real) == 1 and len(real) < len(choices):
        rest = {k: v for k, v in part.items() if k != "anyOf"}
        return {**resolve(real[0], schema), **rest, _NULLABLE: True}
    return part


def read(schema: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that a sent form says; what was left empty is left out.

    Raises:
        InvalidValue: names the field that cannot be read.
    """
    if WHOLE in form:
        found = _json(form[WHOLE], WHOLE)
        if not isinstance(found, dict):
            raise InvalidValue(WHOLE, 'is not an object; write it like {"city": "Utrecht"}')
        return found
    return _read(schema, schema, form, PREFIX)


def _read(
    owner: Mapping[str, Any], schema: Mapping[str, Any], form: Mapping[str, str], prefix: str
) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, unresolved in owner.get("properties", {}).items():
        part, key = resolve(unresolved, schema), f"{prefix}{name}"
        if key not in form and any(each.startswith(f"{key}.") for each in form):
            params[name] = _read(part, schema, form, f"{key}.")
            continue
        value = _value(part, form.get(key), key)
        if value is not UNSET:
            params[name] = value
    return params


def _value(part: Mapping[str, Any], text: str | None, name: str) -> Any | UnsetType:
    kind, _, _ = _kind(part)
    if kind == "check":
        return text == "true"
    if text is None:
        return UNSET
    if text == "":
        return _empty(part, kind)
    if kind == "area" and _is_lined(part) and not text.lstrip().startswith("["):
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind in ("select", "area"):
        return _json(text, name)
    return _number(part, text, name) if kind == "number" else text


def _empty(part: Mapping[str, Any], kind: str) -> Any | UnsetType:
    """What a field says that was cleared: nothing, its default, or an empty text."""
    if nullable(part):
        return None
    if "default" in part:
        return part["default"]
    return "" if kind == "text" else UNSET


def nullable(part: Mapping[str, Any]) -> bool:
    """Whether the part allows null."""
    kinds = part.get("type")
    return _NULLABLE in part or (isinstance(kinds, list) and "null" in kinds)


def _number(part: Mapping[str, Any], text: str, name: str) -> int | float:
    whole = type_of(part) == "integer"
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidValue(name, f"{text!r} is not a{' whole' if whole else ''} number")
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} has no place in JSON")


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(name, f"is not JSON: {error}") from None


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
