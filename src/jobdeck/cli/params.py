"""Parameters as they are given on a command line: `-p key=value` and `--params FILE`."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jobdeck.domain.errors import InvalidValue, Malformed

JSON_TYPES = frozenset({"string", "integer", "number", "boolean", "null", "array", "object"})
_DEEP = 20


def gather(pairs: Iterable[str], file: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the file with the pairs over them; of two pairs with the same name the
    last one holds.

    Raises:
        Malformed: the file cannot be read, or is not a JSON object.
        InvalidValue: a pair is not one.
    """
    params = read_file(file) if file else {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not (name and sign):
            raise InvalidValue("-p", f"{pair!r} is not a parameter; write -p name=value")
        params[name] = value_of(text, types_of(schema.get("properties", {}).get(name), schema))
    return params


def read_file(name: str) -> dict[str, Any]:
    """The object in a file of JSON; `-` is standard input.

    Raises:
        Malformed: it cannot be read, or holds something else.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Malformed(f"The file of parameters {name} cannot be read: {why}.") from None
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The file of parameters {name} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise Malformed(f'The file of parameters {name} must hold an object, {{"name": value}}.')
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def value_of(text: str, types: frozenset[str]) -> Any:
    """The value that a text stands for, if it may be of these types: as JSON if that fits, else
    the text itself."""
    if "boolean" in types and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    if _type(value) in types or (isinstance(value, int | float) and "number" in types):
        return value
    return text if "string" in types else value


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    kinds = {str: "string", int: "integer", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def types_of(rule: Any, schema: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """The JSON types that a rule of a schema allows; all of them where it does not say."""
    if not isinstance(rule, Mapping) or depth > _DEEP:
        return JSON_TYPES
    if "type" in rule:
        given = rule["type"]
        return frozenset([given] if isinstance(given, str) else given)
    if "enum" in rule or "const" in rule:
        values = rule.get("enum", [rule.get("const")])
        return frozenset(_type(value) for value in values)
    if "$ref" in rule:
        return types_of(_referred(str(rule["$ref"]), schema), schema, depth + 1)
    for key in ("anyOf", "oneOf"):
        if key in rule:
            return frozenset().union(*(types_of(each, schema, depth + 1) for each in rule[key]))
    if "allOf" in rule:
        found = JSON_TYPES
        for each in rule["allOf"]:
            found &= types_of(each, schema, depth + 1)
        return found
    return JSON_TYPES


def _referred(reference: str, schema: Mapping[str, Any]) -> Any:
    found: Any = schema
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
