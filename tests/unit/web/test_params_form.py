"""A form made from a schema, and parameters made from the form again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.errors import InvalidValue
from jobdeck.web import params_form
from jobdeck.web.fields import Field

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["city"],
    "$defs": {"unit": {"enum": ["celsius", "fahrenheit"]}},
    "properties": {
        "city": {"type": "string", "title": "City", "description": "As the provider spells it."},
        "days": {"type": "integer", "default": 7},
        "factor": {"type": "number"},
        "dry_run": {"type": "boolean", "default": False},
        "unit": {"$ref": "#/$defs/unit", "default": "celsius"},
        "since": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


def by_name(values: dict[str, Any]) -> dict[str, Field]:
    """The fields of a form by the names of their parameters."""
    found = params_form.fields(SCHEMA, values)
    return {field.name.removeprefix("params."): field for field in found}


def sent(values: dict[str, Any]) -> dict[str, str]:
    """What a browser sends that changes nothing."""
    form = {}
    for field in params_form.fields(SCHEMA, values):
        if field.kind == "check":
            if field.value:
                form[field.name] = "true"
        else:
            form[field.name] = str(field.value)
    return form


def test_each_type_has_its_field() -> None:
    fields = by_name({"city": "Delft", "tags": ["a"]})
    kinds = {name: field.kind for name, field in fields.items()}
    assert kinds == {
        "city": "text",
        "days": "number",
        "factor": "number",
        "dry_run": "check",
        "unit": "select",
        "since": "date",
        "tags": "area",
    }
    assert fields["city"].label == "City"
    assert fields["city"].required
    assert fields["city"].hint == "As the provider spells it."
    assert fields["days"].value == "7"
    assert not fields["days"].required
    assert (fields["tags"].value, fields["tags"].hint) == ("a", "One on each line.")


def test_an_unchanged_form_gives_the_same_parameters() -> None:
    values = {
        "city": "Den Haag",
        "days": 3,
        "factor": 1.5,
        "dry_run": True,
        "unit": "fahrenheit",
        "since": "2026-11-20",
        "tags": ["a", "b"],
    }
    assert params_form.read(SCHEMA, sent(values)) == values


def test_a_cleared_field_is_nothing_or_its_default() -> None:
    form = {**sent({"city": "Delft", "since": "2026-11-20", "days": 3}), "params.since": ""}
    read = params_form.read(SCHEMA, {**form, "params.days": "", "params.factor": ""})
    assert read["since"] is None
    assert read["days"] == 7
    assert "factor" not in read


@pytest.mark.parametrize(
    ("name", "text"),
    [("days", "seven"), ("days", "1.5"), ("factor", "nan"), ("factor", "inf"), ("tags", "[")],
)
def test_what_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        params_form.read(SCHEMA, {**sent({"city": "Delft"}), f"params.{name}": text})
    assert caught.value.field == f"params.{name}"


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {}}])
def test_without_a_schema_there_is_one_field(schema: dict[str, Any]) -> None:
    values = {"any": [1, {"thing": None}]}
    (field,) = params_form.fields(schema, values)
    assert field.kind == "area"
    assert params_form.read(schema, {field.name: field.value}) == values


def test_parameters_beyond_the_schema_are_not_lost() -> None:
    values = {"city": "Delft", "more": 1}
    (field,) = params_form.fields(SCHEMA, values)
    assert params_form.read(SCHEMA, {field.name: field.value}) == values


@pytest.mark.parametrize("text", ["[1]", "{", "NaN", '{"a": Infinity}', "[" * 100_000])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        params_form.read({}, {"params": text})
    assert caught.value.field == "params"


@given(
    st.dictionaries(
        st.sampled_from(list(SCHEMA["properties"])),
        st.one_of(st.none(), st.integers(), st.text(), st.booleans(), st.lists(st.text())),
    )
)
def test_any_values_make_a_form(values: dict[str, Any]) -> None:
    assert params_form.fields(SCHEMA, values)


NESTED: dict[str, Any] = {
    "type": "object",
    "required": ["place"],
    "$defs": {
        "Place": {
            "title": "Place",
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}},
        }
    },
    "properties": {
        "place": {"$ref": "#/$defs/Place"},
        "other": {"$ref": "#/$defs/Place"},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}], "default": None},
        "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
    },
}


def test_an_object_has_fields_of_its_own() -> None:
    made = params_form.fields(NESTED, {"place": {"city": "Delft"}})
    assert [(field.name, field.label, field.kind) for field in made] == [
        ("params.place.city", "place · city", "text"),
        ("params.place.zip", "place · zip", "number"),
        *((f"params.{name}", name, "area") for name in ("other", "maybe", "places")),
    ]
    form = {field.name: str(field.value) for field in made}
    assert params_form.read(NESTED, form) == {"place": {"city": "Delft"}, "maybe": None}
    form |= {"params.place.zip": "2611", "params.other": '{"city": "Gouda"}'}
    assert params_form.read(NESTED, form) == {
        "place": {"city": "Delft", "zip": 2611},
        "other": {"city": "Gouda"},
        "maybe": None,
    }
    form["params.place.zip"] = "x"
    with pytest.raises(InvalidValue, match=r"place\.zip"):
        params_form.read(NESTED, form)


def test_an_object_that_the_fields_cannot_hold_stays_json() -> None:
    made = params_form.fields(NESTED, {"place": {"city": "Delft", "more": 1}})
    assert made[0].name == "params.place"
    assert "more" in made[0].value


@pytest.mark.parametrize("tags", [["a b", "c"], ["[x", "b"], ["two\nlines"], [" blank"], [""], []])
def test_lists_of_texts_come_back_as_they_were(tags: list[str]) -> None:
    form = sent({"city": "x", "tags": tags})
    assert params_form.read(SCHEMA, form).get("tags", []) == tags
