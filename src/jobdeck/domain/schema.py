"""Values against a JSON Schema, without importing the code that made it."""

from itertools import islice
from typing import Any

import jsonschema_rs

from jobdeck.domain.errors import InvalidValue

PROBLEMS = 100
_UNKNOWN = "additionalProperties"


class ParamsCheck:
    """A schema made ready: checking many times costs little."""

    def __init__(self, schema: dict[str, Any], known_only: bool = True) -> None:
        """`known_only` refuses parameters that the schema does not know, unless it says itself
        what of them (`additionalProperties`).

        Raises:
            InvalidValue: it is not a JSON Schema, or refers to something outside itself.
        """
        try:
            self._validator = jsonschema_rs.validator_for(schema, retriever=_refuse)
        except ValueError as error:
            text = str(error).splitlines()[0]
            raise InvalidValue("params_schema", f"is not a JSON Schema: {text}") from None
        closed = schema.get("additionalProperties", False if known_only else None) is False
        self._known = (
            frozenset(schema.get("properties", {}))
            if closed and "patternProperties" not in schema
            else None
        )

    def check(self, params: dict[str, Any]) -> None:
        """Refuse parameters that do not fit.

        Raises:
            InvalidValue: names the first field that does not fit, as `params.city`; what is
                missing comes last, since a form that is being filled in lacks much.
        """
        if self._known is not None and not params.keys() <= self._known:
            name = next(name for name in params if name not in self._known)
            known = ", ".join(sorted(self._known)) or "none"
            raise InvalidValue(f"params.{name}", f"no such parameter; there are: {known}")
        try:
            self._validator.validate(params)
        except jsonschema_rs.ValidationError as error:
            wrong = islice(self._validator.iter_errors(params), PROBLEMS)
            raise _invalid(next((e for e in wrong if _missing(e) is None), error)) from None
        except ValueError as error:
            raise InvalidValue("params", f"cannot be written as JSON: {error}") from None

    def problems(self, params: dict[str, Any]) -> dict[str, str]:
        """Every field that does not fit, as `params.city`, with what is wrong; at most 100."""
        unknown = set() if self._known is None else params.keys() - self._known
        known = ", ".join(sorted(self._known or ())) or "none"
        found = {f"params.{name}": f"no such parameter; there are: {known}" for name in unknown}
        try:
            for error in islice(self._validator.iter_errors(params), PROBLEMS):
                if unknown and not error.instance_path and error.kind.name == _UNKNOWN:
                    continue
                wrong = _invalid(error)
                text = str(wrong).removeprefix(f"{wrong.field}: ")
                found.setdefault(wrong.field, text)
        except ValueError as error:
            found["params"] = f"cannot be written as JSON: {error}"
        return dict(sorted(found.items())[:PROBLEMS])


def _refuse(uri: str) -> Any:
    # A schema comes from whoever defines pipelines; it must not make the server fetch things.
    raise ValueError(f"{uri} is outside the schema")


def _missing(error: jsonschema_rs.ValidationError) -> str | None:
    missing = getattr(error.kind, "property", None)
    return missing if isinstance(missing, str) else None


def _invalid(error: jsonschema_rs.ValidationError) -> InvalidValue:
    path = ["params", *(str(part) for part in error.instance_path)]
    missing = _missing(error)
    if missing is not None:
        return InvalidValue(".".join([*path, missing]), "is required")
    return InvalidValue(".".join(path), str(error.message))
