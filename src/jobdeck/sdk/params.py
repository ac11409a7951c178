"""The parameters of a pipeline: their JSON Schema, and reading them for the steps."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from jobdeck.domain.errors import InvalidValue

JsonSchema = dict[str, Any]
_PATH = re.compile(r"^(?P<text>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_NAMED = re.compile(r"`(?P<name>[^`]*)`")
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")


class Parameters(Protocol):
    """What a pipeline takes. "Values" are what `read` gives: only its own methods look inside."""

    @property
    def schema(self) -> JsonSchema:
        """Self-contained, of an object."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """What a step may take by name."""
        ...

    @property
    def open(self) -> bool:
        """Whether names that are not among `names` are welcome too."""
        ...

    def read(self, raw: bytes) -> Any:
        """The values of a JSON object.

        Raises:
            InvalidValue: it does not fit; names the field, as `params.city`.
        """
        ...

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse parameters, already made of plain JSON types, that do not fit.

        Those that are missing pass: a flow or context may give them.

        Raises:
            InvalidValue: names the field, as `params.city`.
        """
        ...

    def fields(self, values: Any) -> dict[str, Any]:
        """All of them by name."""
        ...

    def whole(self, values: Any) -> Any:
        """What a step's argument `params` and `ctx.params` are: the model, or a dict."""
        ...


class Missing(InvalidValue):
    """A parameter that must be given is not."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "is required and was not given")


def from_validation(error: msgspec.DecodeError) -> InvalidValue:
    """msgspec's error with the field in front: `params.city: Expected ...`."""
    match = _PATH.match(str(error))
    assert match is not None
    text, path = match["text"], match["path"] or ""
    path = _INDEX.sub(r".\1", path).replace("...", "?").strip(".")
    if text.startswith("Object missing required field"):
        named = _NAMED.search(text)
        return Missing(".".join(filter(None, ["params", path, named["name"] if named else ""])))
    if text.startswith("Object contains unknown field"):
        named = _NAMED.search(text)
        path = ".".join(filter(None, [path, named["name"] if named else ""]))
        text = "no such parameter"
    return InvalidValue(".".join(filter(None, ["params", path])), text)


def is_top(error: InvalidValue) -> bool:
    """Whether it is about a parameter itself and not something inside it."""
    return error.field.count(".") == 1


def unknown(name: str, known: frozenset[str]) -> InvalidValue:
    """The error for a parameter that the pipeline does not have."""
    listed = ", ".join(sorted(known)) or "none"
    return InvalidValue(f"params.{name}", f"no such parameter; there are: {listed}")


def refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse the first name that is not known.

    Raises:
        InvalidValue: names it and the known ones.
    """
    for name in given:
        if name not in known:
            raise unknown(name, known)


def read_object(raw: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidValue: it is something else.
    """
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidValue("params", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidValue("params", "must be a JSON object of names and values")
    return value


def inline_root(schema: JsonSchema) -> JsonSchema:
    """The schema with its root in place of a reference, and all definitions at the top."""
    definitions: dict[str, Any] = dict(schema.pop("$defs", {}))
    schema = _hoist(schema, definitions)
    for name in list(definitions):
        definitions[name] = _hoist(definitions[name], definitions)
    reference = str(schema.get("$ref", ""))
    if reference.startswith("#/$defs/"):
        name = reference.removeprefix("#/$defs/")
        schema = {**definitions[name], **{k: v for k, v in schema.items() if k != "$ref"}}
        if not _mentions([schema, definitions], reference):
            del definitions[name]
    if definitions:
        schema["$defs"] = definitions
    return schema


def _hoist(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_hoist(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$defs"), dict):
        definitions |= node["$defs"]
    return {key: _hoist(value, definitions) for key, value in node.items() if key != "$defs"}


def _mentions(node: Any, reference: str) -> bool:
    if isinstance(node, list):
        return any(_mentions(item, reference) for item in node)
    if isinstance(node, dict):
        if node.get("$ref") == reference:
            return True
        return any(_mentions(value, reference) for value in node.values())
    return False
