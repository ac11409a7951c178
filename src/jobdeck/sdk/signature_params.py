"""Parameters that come from the signatures of the steps."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from jobdeck.domain.errors import InvalidValue
from jobdeck.sdk import jsonable, params
from jobdeck.sdk.params import JsonSchema
from jobdeck.sdk.signature import Parameter

_ARGUMENT = re.compile(r"^\s{2,}(\w+)(?: \([^)]*\))?: (.+)$", re.MULTILINE)


class SignatureParameters:
    """One field for each parameter that any step names; steps that share one agree on it."""

    def __init__(self, parameters: list[Parameter], rest: bool, doc: str = "") -> None:
        merged = _merge(parameters)
        self.names = frozenset(merged)
        self.open = rest
        fields = [_field(parameter) for parameter in merged.values()]
        self._model: type[msgspec.Struct] = msgspec.defstruct(
            "Params", fields, kw_only=True, forbid_unknown_fields=not rest
        )
        self.schema = self._schema(merged, doc)
        self._decode = msgspec.json.Decoder(self._model, dec_hook=jsonable.revive).decode
        self._extras = rest

    def read(self, raw: bytes) -> Any:
        """A Struct of the fields; with its extra fields, as a pair, if the rest is welcome."""
        try:
            values = self._decode(raw)
        except msgspec.DecodeError as error:
            raise self._named(error) from None
        if not self._extras:
            return values
        rest = {k: v for k, v in params.read_object(raw).items() if k not in self.names}
        return values, rest

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse what `read` would refuse, but for missing ones."""
        try:
            msgspec.convert(given, self._model, dec_hook=jsonable.revive)
        except msgspec.ValidationError as error:
            named = self._named(error)
            if not (isinstance(named, params.Missing) and params.is_top(named)):
                raise named from None

    def fields(self, values: Any) -> dict[str, Any]:
        """All of them by name, defaults included."""
        if self._extras:
            return {**msgspec.structs.asdict(values[0]), **values[1]}
        return msgspec.structs.asdict(values)

    def whole(self, values: Any) -> dict[str, Any]:
        """The same: there is no model."""
        return self.fields(values)

    def _named(self, error: msgspec.DecodeError) -> InvalidValue:
        named = params.from_validation(error)
        if str(named).endswith("no such parameter"):
            return params.unknown(named.field.removeprefix("params."), self.names)
        return named

    def _schema(self, merged: dict[str, Parameter], doc: str) -> JsonSchema:
        for parameter in merged.values():
            _check_type(parameter)
        schema = params.inline_root(msgspec.json.schema(self._model, schema_hook=schema_of_custom))
        del schema["title"]
        described = dict(_ARGUMENT.findall(doc))
        for name, field in schema.get("properties", {}).items():
            if name in described and "$ref" not in field:
                field.setdefault("description", described[name].strip())
        schema["additionalProperties"] = self.open
        return schema


def schema_of_custom(kind: type) -> JsonSchema:
    """The JSON Schema of a type that msgspec does not know.

    Raises:
        NotImplementedError: nor do we.
    """
    if jsonable.is_pydantic(kind):
        schema: JsonSchema = kind.model_json_schema()  # type: ignore[attr-defined]
        return schema
    if jsonable.can_revive(kind):
        return {"type": "string"}
    raise NotImplementedError


def _merge(parameters: list[Parameter]) -> dict[str, Parameter]:
    merged: dict[str, Parameter] = {}
    for new in parameters:
        old = merged.setdefault(new.name, new)
        if old is new:
            continue
        annotation = old.annotation if old.annotation is not Any else new.annotation
        default = old.default if old.default is not UNSET else new.default
        if new.annotation not in (Any, annotation):
            raise InvalidValue(
                new.step,
                f"takes {new.name!r} as {_show(new.annotation)}, but step {old.step!r} as "
                f"{_show(annotation)}; a parameter has one type",
            )
        if new.default is not UNSET and not _same(new.default, default):
            raise InvalidValue(
                new.step,
                f"gives {new.name!r} the default {new.default!r}, but step {old.step!r} "
                f"{default!r}; a parameter has one default",
            )
        merged[new.name] = Parameter(
            name=new.name, annotation=annotation, default=default, step=old.step
        )
    return merged


def _field(parameter: Parameter) -> tuple[str, Any] | tuple[str, Any, Any]:
    if parameter.default is UNSET:
        return parameter.name, parameter.annotation
    if isinstance(parameter.default, (str, int, float, bool, type(None))):
        return parameter.name, parameter.annotation, parameter.default
    value = parameter.default
    return parameter.name, parameter.annotation, msgspec.field(default_factory=lambda: value)


def _check_type(parameter: Parameter) -> None:
    try:
        msgspec.json.schema(parameter.annotation, schema_hook=schema_of_custom)
    except (TypeError, NotImplementedError):
        raise InvalidValue(
            parameter.step,
            f"takes {parameter.name!r} as {_show(parameter.annotation)}, which JSON cannot carry; "
            "use texts, numbers, lists, dicts, datetimes, enums, dataclasses or models",
        ) from None


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # as an array's comparison may
        return False


def _show(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
