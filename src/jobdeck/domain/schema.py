"""Values against a JSON Schema, without importing the code that made it."""

from typing import Any

import jsonschema_rs

from jobdeck.domain.errors import InvalidValue


def check_params(params: dict[str, Any], schema: dict[str, Any], known_only: bool = True) -> None:
    """Refuse parameters that do not fit `schema`.

    Raises:
        InvalidValue: names the first field that does not fit, as `params.city`.
    """
    properties = schema.get("properties", {})
    if known_only and "additionalProperties" not in schema:
        for name in params:
            if name not in properties:
                known = ", ".join(sorted(properties)) or "none"
                raise InvalidValue(f"params.{name}", f"no such parameter; there are: {known}")
    try:
        jsonschema_rs.validate(schema, params)
    except jsonschema_rs.ValidationError as error:
        field = ".".join(["params", *(str(part) for part in error.instance_path)])
        raise InvalidValue(field, str(error.message)) from None
