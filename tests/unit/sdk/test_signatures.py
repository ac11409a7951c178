from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from jobdeck import Context, Pipeline, job, testing
from jobdeck.domain.errors import InvalidValue

if TYPE_CHECKING:
    from decimal import Decimal as Elsewhere


@dataclass
class Options:
    url: str
    limit: int = 10


@dataclass
class Row:
    name: str


def test_a_step_gets_context_result_and_parameters_in_that_order() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first(ctx: Context, a: int) -> int:
        return a

    @pipeline.step
    def second(ctx: Context, rows: int, b: int = 5) -> list[int]:
        return [rows, b]

    @pipeline.step
    def third(rows: list[int], *, a: int) -> list[int]:
        return [*rows, a]

    @pipeline.step
    def fourth(ctx: Context) -> str:
        return ctx.step

    @pipeline.step
    def fifth() -> str:
        return "done"

    result = testing.run(pipeline, a=1).completed()

    assert result.result == "done"
    assert [s.result for s in result.steps.values()] == [
        b"1", b"[1,5]", b"[1,5,1]", b'"fourth"', b'"done"',
    ]  # fmt: skip


def test_a_context_is_known_by_name_or_by_annotation() -> None:
    @job
    def by_name(ctx) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return int(ctx.attempt)

    @job
    def by_type(context: Context) -> int:
        return context.attempt

    assert testing.run(by_name).result == 1
    assert testing.run(by_type).result == 1


def test_a_job_may_do_without_a_context() -> None:
    @job
    def add(a: int, b: int = 2) -> int:
        return a + b

    assert testing.run(add, a=1).result == 3


def test_a_model_gives_its_fields_by_name_or_as_a_whole() -> None:
    pipeline = Pipeline("p", params=Options)

    @pipeline.step
    def first(ctx: Context, limit: int) -> int:
        return limit

    @pipeline.step
    def second(ctx: Context, before: int, params: Options) -> str:
        assert isinstance(ctx.params, Options)
        return f"{params.url} {before}"

    assert testing.run(pipeline, url="u").result == "u 10"


def test_a_step_that_names_a_field_its_model_lacks_is_refused() -> None:
    pipeline = Pipeline("weather", params=Options)

    @pipeline.step
    def extract(ctx: Context, city: str) -> None: ...

    with pytest.raises(InvalidValue, match=r"weather: extract: takes 'city', which Options"):
        _ = pipeline.manifest


def test_a_rest_takes_what_nobody_named() -> None:
    @job
    def free(ctx: Context, a: int, **rest: Any) -> dict[str, Any]:
        return {"a": a, **rest}

    assert free.manifest.params_schema["additionalProperties"] is True
    assert testing.run(free, a=1, b=[2]).result == {"a": 1, "b": [2]}


def test_without_a_model_params_is_a_dict_of_everything() -> None:
    @job
    def free(params: dict[str, Any]) -> dict[str, Any]:
        return params

    assert testing.run(free, a=1).result == {"a": 1}


def test_a_result_is_made_what_the_next_step_says_it_takes() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first() -> list[Row]:
        return [Row("a"), Row("b")]

    @pipeline.step
    def second(rows: list[Row]) -> list[str]:
        return [row.name for row in rows]

    assert testing.run(pipeline).completed().result == ["a", "b"]


def test_a_result_that_does_not_fit_the_next_step_is_told() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first() -> str:
        return "text"

    @pipeline.step
    def second(rows: list[int]) -> int:
        return len(rows)

    result = testing.run(pipeline)

    assert (result.status, result.reason) == ("failed", "invalid_result")
    assert "rows: the result of the step before does not fit 'second'" in result.message


def test_an_annotation_that_json_knows_nothing_of_leaves_the_result_as_it_is() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first() -> list[int]:
        return [1]

    @pipeline.step
    def second(rows: testing.Result) -> Any:
        return rows

    assert testing.run(pipeline).result == [1]


def made(function: Callable[..., Any]) -> Pipeline:
    return job(name=f"j_{function.__name__}")(function)


def test_what_no_step_can_be_given_is_refused() -> None:
    def many(*rows: int) -> None: ...
    def positional(ctx: Context, n: int, /) -> None: ...
    def late(n: int, context: Context) -> None: ...
    def strange(n: testing.Result) -> None: ...
    def unresolved(n: Elsewhere) -> None: ...

    refused: list[tuple[Callable[..., Any], str]] = [
        (many, "takes \\*rows"),
        (positional, "by position only"),
        (late, "must come first"),
        (strange, "which JSON cannot carry"),
        (unresolved, "cannot be resolved"),
    ]
    for function, words in refused:
        with pytest.raises(InvalidValue, match=words):
            _ = made(function).manifest


def test_steps_that_share_a_parameter_must_agree_on_it() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first(n: int) -> None: ...

    @pipeline.step
    def second(_: None, n: str) -> None: ...

    with pytest.raises(InvalidValue, match="takes 'n' as str, but step 'first' as int"):
        _ = pipeline.manifest


def test_a_default_of_one_step_is_the_default_of_the_parameter() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first(n: int = 3) -> int:
        return n

    @pipeline.step
    def second(before: int, n) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return before + int(n)

    assert testing.run(pipeline).result == 6
    assert pipeline.manifest.params_schema["properties"] == {"n": {"type": "integer", "default": 3}}


def test_coroutine_steps_run_beside_others() -> None:
    import asyncio

    pipeline = Pipeline("p")

    @pipeline.step
    async def first(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @pipeline.step
    def second(n: int) -> int:
        return n + 1

    assert testing.run(pipeline, n=1).result == 2

    async def inside_a_loop() -> Any:
        return testing.run(pipeline, n=1).result

    assert asyncio.run(inside_a_loop()) == 2
