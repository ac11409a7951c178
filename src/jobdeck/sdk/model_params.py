"""Parameters that are a model: a dataclass, a msgspec Struct, or a pydantic model."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from jobdeck.domain.errors import InvalidValue
from jobdeck.sdk import jsonable, params
from jobdeck.sdk.params import JsonSchema
from jobdeck.sdk.signature_params import schema_of_custom

Model = type[Any]


class ModelParameters:
    """A dataclass or msgspec Struct."""

    open = False

    def __init__(self, model: Model) -> None:
        self._model = model
        try:
            schema = msgspec.json.schema(model, schema_hook=schema_of_custom)
        except (TypeError, NotImplementedError) as error:
            raise InvalidValue("params", f"{model.__qualname__}: {error}") from None
        self.schema = params.inline_root(schema)
        self.schema["additionalProperties"] = False
        self._wire = frozenset(self.schema.get("properties", {}))
        if dataclasses.is_dataclass(model):
            self._fields = tuple(f.name for f in dataclasses.fields(model) if f.init)
        else:
            self._fields = tuple(model.__struct_fields__)
        self.names = frozenset(self._fields)

    def read(self, raw: bytes) -> Any:
        """An instance of the model."""
        return self._convert(params.read_object(raw))

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse what `read` would refuse, but for missing ones."""
        try:
            self._convert(given)
        except params.Missing as error:
            if not params.is_top(error):
                raise

    def _convert(self, given: Mapping[str, Any]) -> Any:
        params.refuse_unknown(given, self._wire)
        try:
            return msgspec.convert(given, self._model, dec_hook=jsonable.revive)
        except msgspec.ValidationError as error:
            raise params.from_validation(error) from None

    def fields(self, values: Any) -> dict[str, Any]:
        """Its fields by name, not deeper."""
        return {name: getattr(values, name) for name in self._fields}

    def whole(self, values: Any) -> Any:
        """The instance."""
        return values


class PydanticParameters:
    """A pydantic model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.schema: JsonSchema = params.inline_root(model.model_json_schema())
        self.open = model.model_config.get("extra") == "allow"
        self.schema.setdefault("additionalProperties", self.open)
        self._wire = frozenset(self.schema.get("properties", {}))
        self.names = frozenset(model.model_fields)

    def read(self, raw: bytes) -> Any:
        """An instance of the model."""
        return self._validate(params.read_object(raw))

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse what `read` would refuse, but for missing ones."""
        try:
            self._validate(given)
        except params.Missing as error:
            if not params.is_top(error):
                raise

    def _validate(self, given: Mapping[str, Any]) -> Any:
        if not self.open:
            params.refuse_unknown(given, self._wire)
        try:
            return self._model.model_validate(given)
        except ValueError as error:
            raise _from_pydantic(error) from None

    def fields(self, values: Any) -> dict[str, Any]:
        """Its fields by name, not deeper."""
        fields = {name: getattr(values, name) for name in self.names}
        return fields | (values.model_extra or {})

    def whole(self, values: Any) -> Any:
        """The instance."""
        return values


def of_model(model: Model) -> ModelParameters | PydanticParameters:
    """The parameters of that model.

    Raises:
        InvalidValue: it is none of the three kinds.
    """
    if jsonable.is_pydantic(model):
        return PydanticParameters(model)
    if isinstance(cast("object", model), type) and (
        dataclasses.is_dataclass(model) or issubclass(model, msgspec.Struct)
    ):
        return ModelParameters(model)
    raise InvalidValue(
        "params", f"{model!r} is no dataclass, msgspec Struct or pydantic model; give a class"
    )


def _from_pydantic(error: ValueError) -> InvalidValue:
    listed = getattr(error, "errors", None)
    if listed is None:
        return InvalidValue("params", str(error))
    # A missing one comes last: the others are wrong whoever gives it.
    first = min(listed(include_url=False), key=lambda found: found["type"] == "missing")
    field = ".".join(["params", *(str(part) for part in first["loc"])])
    if first["type"] == "missing":
        return params.Missing(field)
    return InvalidValue(field, str(first["msg"]))
