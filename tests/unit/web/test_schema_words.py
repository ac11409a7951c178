"""Parameters in words."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.web.schema_words import describe, parameters


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 2}, "text, at least 2 characters"),
        ({"type": "string", "maxLength": 1}, "text, at most 1 character"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "integer", "minimum": 1, "maximum": 30}, "whole number from 1 to 30"),
        ({"type": "number", "exclusiveMinimum": 0}, "number above 0"),
        ({"type": ["integer", "null"]}, "whole number, or nothing"),
        ({"type": "boolean"}, "yes or no"),
        ({"enum": ["a", 2]}, "one of a, 2"),
        ({"const": 3}, "always 3"),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "list of text, at least 1 item",
        ),
        ({"type": "object"}, "object"),
        ({}, "any value"),
        ({"type": ["string", "integer"]}, "any value"),
    ],
)
def test_a_part(part: dict[str, Any], words: str) -> None:
    assert describe(part) == words


def test_parameters_are_told_with_their_defaults() -> None:
    schema = {
        "required": ["city", "days"],
        "properties": {
            "city": {"$ref": "#/$defs/City"},
            "days": {"type": "integer", "default": 7},
            "since": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        },
        "$defs": {"City": {"type": "string", "description": "As the provider spells it."}},
    }
    city, days, since = parameters(schema)
    assert (city.words, city.required, city.text) == ("text", True, "As the provider spells it.")
    assert (days.words, days.required, days.default) == ("whole number", False, "7")
    assert (since.words, since.required) == ("date, or nothing", False)
    assert parameters({}) == []
