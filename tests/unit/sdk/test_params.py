from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
import pydantic
import pytest

from jobdeck import Pipeline, job, testing
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.schema import ParamsCheck


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Inner:
    n: int = 1


@dataclass
class AsDataclass:
    """Where to take it from."""

    city: str
    size: Literal["small", "large"] = "small"
    inner: Inner = field(default_factory=Inner)
    since: dt.date | None = None


class AsStruct(msgspec.Struct):
    """Where to take it from."""

    city: Annotated[str, msgspec.Meta(min_length=1)]
    size: Literal["small", "large"] = "small"
    inner: Inner = msgspec.field(default_factory=Inner)
    since: dt.date | None = None


class AsPydantic(pydantic.BaseModel):
    """Where to take it from."""

    city: str
    size: Literal["small", "large"] = "small"
    inner: Inner = pydantic.Field(default_factory=Inner)
    since: dt.date | None = None


MODELS = [AsDataclass, AsStruct, AsPydantic]


def of(model: type[Any]) -> Pipeline:
    pipeline = Pipeline("p", params=model)

    @pipeline.step
    def show(city: str, size: str, inner: Inner, since: dt.date | None, params: Any) -> list[Any]:
        assert isinstance(params, model)
        return [city, size, inner.n, since.isoformat() if since else None]

    return pipeline


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_the_schema(model: type[Any]) -> None:
    schema = of(model).manifest.params_schema

    assert schema["type"] == "object"
    assert schema["required"] == ["city"]
    assert schema["additionalProperties"] is False
    assert schema["description"] == "Where to take it from."
    assert schema["properties"]["size"]["default"] == "small"
    ParamsCheck(schema).check({"city": "Delft", "inner": {"n": 3}})
    for wrong in ({}, {"city": 3}, {"city": "x", "size": "huge"}, {"city": "x", "more": 1}):
        with pytest.raises(InvalidValue):
            ParamsCheck(schema).check(wrong)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_what_the_steps_get(model: type[Any]) -> None:
    pipeline = of(model)

    result = testing.run(pipeline, city="Delft", inner={"n": 4}, since="2026-11-20")

    assert result.completed().result == ["Delft", "small", 4, "2026-11-20"]
    assert testing.run(pipeline, model(city="Delft")).result == ["Delft", "small", 1, None]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "params.city"),
        ({"city": 3}, "params.city"),
        ({"city": "x", "size": "huge"}, "params.size"),
        ({"city": "x", "inner": {"n": "many"}}, "params.inner.n"),
        ({"city": "x", "sice": "small"}, "params.sice"),
    ],
)
def test_what_does_not_fit_is_named(model: type[Any], given: dict[str, Any], named: str) -> None:
    result = testing.run(of(model), given)

    assert (result.status, result.reason) == ("failed", "invalid_config")
    assert result.message.startswith(f"{named}: ")
    assert not result.retryable


def test_signatures_are_a_schema_too() -> None:
    @job
    def send(
        to: str,
        when: dt.datetime | None = None,
        size: Literal["small", "large"] = "small",
        colour: Colour = Colour.RED,
        tags: list[str] = [],  # noqa: B006
        inner: Inner | None = None,
        path: Path = Path("x"),
        free: Any = None,
    ) -> list[Any]:
        """Send it.

        Args:
            to: who is to get it
        """
        return [to, when, size, colour, tags, inner, str(path), free]

    schema = send.manifest.params_schema

    jsonschema_rs.meta.validate(schema)
    assert schema["required"] == ["to"]
    assert schema["properties"]["to"] == {"type": "string", "description": "who is to get it"}
    assert schema["properties"]["size"]["enum"] == ["large", "small"]
    assert schema["additionalProperties"] is False
    result = testing.run(
        send, to="a", when="2026-11-20T13:00:00Z", colour="blue", tags=["x"], inner={"n": 2}
    )
    assert result.completed().result == [
        "a", "2026-11-20T13:00:00Z", "small", "blue", ["x"], {"n": 2}, "x", None,
    ]  # fmt: skip


def test_a_pydantic_model_inside_a_signature_is_understood() -> None:
    class Deep(pydantic.BaseModel):
        k: int

    class Item(pydantic.BaseModel):
        deep: Deep

    @job
    def send(item: Item, more: list[Item] = []) -> int:  # noqa: B006
        return item.deep.k

    schema = send.manifest.params_schema
    ParamsCheck(schema).check({"item": {"deep": {"k": 1}}})
    with pytest.raises(InvalidValue):
        ParamsCheck(schema).check({"item": {"deep": {"k": "x"}}})
    assert testing.run(send, item={"deep": {"k": 3}}).result == 3
    assert testing.run(send, item={"deep": {"k": "x"}}).reason == "invalid_config"


def test_a_recursive_model_keeps_its_definition() -> None:
    pipeline = Pipeline("p", params=Tree)

    @pipeline.step
    def show(name: str) -> str:
        return name

    schema = pipeline.manifest.params_schema
    ParamsCheck(schema).check({"name": "a", "kids": [{"name": "b"}]})
    with pytest.raises(InvalidValue):
        ParamsCheck(schema).check({"name": "a", "kids": [{"name": 1}]})


class Tree(msgspec.Struct):
    name: str
    kids: list[Tree] = []


def test_only_a_model_class_will_do() -> None:
    for wrong in (dict, 3, Inner()):
        pipeline = Pipeline(f"p{id(wrong)}", params=wrong)  # type: ignore[arg-type]
        pipeline.step(test_only_a_model_class_will_do)
        with pytest.raises(InvalidValue, match="no dataclass, msgspec Struct or pydantic"):
            _ = pipeline.manifest


@pytest.mark.parametrize("raw", ["[1]", "3", "null", "{", '"x"', "[" * 100_000])
def test_parameters_that_are_no_object_are_refused(raw: str) -> None:
    @job
    def send(to: str = "x") -> None: ...

    with pytest.raises(InvalidValue):
        send.plan.params.read(raw.encode())
