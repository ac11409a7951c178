"""The JSON of records, and back."""

from __future__ import annotations

from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.client import shapes
from jobdeck.client.shaping import Shape
from jobdeck.domain import records
from jobdeck.domain.manifest import PipelineManifest

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(10**16), 10**17),
    float: st.floats(-1e9, 1e9),
    str: st.text(st.characters(exclude_categories=["Cs"])),
    bool: st.booleans(),
    Any: st.none() | st.integers() | st.lists(st.text("ab")),
    NoneType: st.none(),
    PipelineManifest: st.just(PipelineManifest(name="a", steps=[])),
}
SHAPES = [
    kind
    for kind in vars(shapes).values()
    if isinstance(kind, type) and issubclass(kind, Shape) and kind.RECORD is not None
]


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of that type, records within records included."""
    if kind in PLAIN:
        return PLAIN[kind]
    parts = [values(part) for part in get_args(kind)]
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(parts)
    if get_origin(kind) is dict:
        return st.dictionaries(*parts, max_size=2)
    if get_origin(kind) is list:
        return st.lists(*parts, max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return st.builds(kind, **{f.name: values(f.type) for f in msgspec.structs.fields(kind)})


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.__name__ for shape in SHAPES])
def test_a_record_survives_the_way_over_the_wire(shape: type[Shape]) -> None:
    extra = {"duration_s": 1.5} if shape is shapes.Job else {}

    @settings(max_examples=20, deadline=None, database=None)
    @given(values(shape.RECORD))
    def check(record: Any) -> None:
        text = msgspec.json.encode(shape.of(record, **extra))
        back = msgspec.json.decode(text, type=shape).record()
        if isinstance(record, records.JobFile):
            back = msgspec.structs.replace(back, path=record.path)
        assert back == record

    check()


def test_every_record_that_is_shown_has_a_shape_with_all_its_fields() -> None:
    for shape in SHAPES:
        known = set(shape.__struct_fields__)
        for field in shape.RECORD.__struct_fields__:
            if (shape, field) != (shapes.File, "path"):
                assert field in known, (shape.__name__, field)
