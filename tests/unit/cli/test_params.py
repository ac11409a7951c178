"""Parameters on a command line become the values that the flow's schema means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobdeck.cli.params import gather, read_file, types_of, value_of
from jobdeck.domain.errors import InvalidValue, Malformed

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "n": {"type": "integer"},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "color": {"$ref": "#/$defs/Color"},
        "open": {},
    },
    "$defs": {"Color": {"enum": ["red", "1"]}},
}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("name=5", "5"),
        ("name=true", "true"),
        ("name=a=b", "a=b"),
        ("name=", ""),
        ("name=[1", "[1"),
        ("n=5", 5),
        ("n=-5", -5),
        ("n=x", "x"),
        ("ratio=5", 5),
        ("ratio=2.5", 2.5),
        ("ratio=NaN", "NaN"),
        ("on=true", True),
        ("on=False", False),
        ("on=1", 1),
        ('tags=["a", "b"]', ["a", "b"]),
        ("either=5", 5),
        ("either=five", "five"),
        ("maybe=null", None),
        ("maybe=5", "5"),
        ("color=red", "red"),
        ("color=1", "1"),
        ("open=5", 5),
        ("open=five", "five"),
        ("unknown=5", 5),
        ("n=" + "[" * 100_000, "[" * 100_000),
    ],
)
def test_values(pair: str, value: Any) -> None:
    name = pair.split("=", maxsplit=1)[0]
    assert gather([pair], "", SCHEMA) == {name: value}


def test_pairs_go_over_the_file_and_the_last_one_holds(tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text(json.dumps({"n": 1, "name": "file"}))
    found = gather(["n=2", "n=3"], str(file), SCHEMA)
    assert found == {"n": 3, "name": "file"}


@pytest.mark.parametrize("pair", ["n", "=5", ""])
def test_refuses_what_is_no_pair(pair: str) -> None:
    with pytest.raises(InvalidValue, match="name=value"):
        gather([pair], "", SCHEMA)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not JSON"),
        (b"[1]", "must hold an object"),
        (b'{"n": NaN}', "not JSON"),
        (b"\xff", "not text"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_refuses_a_file(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "params.json"
    file.write_bytes(content)
    with pytest.raises(Malformed, match=says):
        read_file(str(file))


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="No such file"):
        read_file(str(tmp_path / "none.json"))


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"properties": {"x": {"$ref": "#/properties/x"}}}
    assert value_of("5", types_of(schema["properties"]["x"], schema)) == 5
