"""Errors over the wire and back."""

from __future__ import annotations

import msgspec
import pytest
from litestar.exceptions import ValidationException

from jobdeck.client.problems import KINDS, to_error
from jobdeck.domain import errors
from jobdeck.domain.errors import (
    InvalidValue,
    JobdeckError,
    NotFound,
    ServerRefused,
    TooMany,
)
from jobdeck.http.problems import describe


def make(kind: type[JobdeckError]) -> JobdeckError:
    special = {
        InvalidValue: InvalidValue("params.city", "is required"),
        NotFound: NotFound("flow", "load", "Did you mean 'lead'?"),
        TooMany: TooMany("too many", 1),
        ServerRefused: ServerRefused(502, "refused"),
    }
    return special.get(kind) or kind(f"a {kind.__name__}")


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_error_comes_back_as_it_was(kind: type[JobdeckError]) -> None:
    error = make(kind)
    problem = describe(error)
    assert problem.status == KINDS[kind][0]
    back = to_error(problem.status, msgspec.json.encode(problem))
    assert type(back) is kind
    assert str(back) == str(error)
    if isinstance(error, InvalidValue):
        assert isinstance(back, InvalidValue)
        assert back.field == error.field


def test_other_errors_have_the_code_of_their_base() -> None:
    class Special(errors.WrongState):
        pass

    assert describe(Special("x")).code == "wrong_state"


def test_what_no_jobdeck_answered_is_told_as_it_came() -> None:
    error = to_error(502, b"<html>Bad gateway</html>")
    assert isinstance(error, ServerRefused)
    assert error.status == 502
    assert "Bad gateway" in str(error)


def test_an_accident_tells_nothing_of_itself() -> None:
    problem = describe(ValueError("password=hunter2"))
    assert (problem.status, problem.code) == (500, "internal")
    assert "hunter2" not in problem.detail


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ([{"key": "limit", "message": "Expected `int` >= 1"}], "limit"),
        ([{"key": "data", "message": "Object contains unknown field `x`"}], "x"),
        ([{"key": "retry", "message": "Object missing required field `y` - at"}], "retry.y"),
        ([{"key": "data", "message": "Expected `object`, got `array`"}], "body"),
        ([], msgspec.UNSET),
    ],
)
def test_values_that_litestar_refuses_name_their_field(
    extra: list[dict[str, str]], field: object
) -> None:
    problem = describe(ValidationException(detail="wrong", extra=extra))
    assert (problem.status, problem.code, problem.field) == (422, "invalid_value", field)
