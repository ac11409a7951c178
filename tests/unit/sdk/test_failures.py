from __future__ import annotations

import re
from typing import Any, NoReturn

import httpx
import pytest

from jobdeck import Context, Fail, NoItems, Pipeline, Retry, Skip, StopRequested, job, testing
from jobdeck.domain import limits
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.states import REASONS, Reason, Status
from jobdeck.sdk import failure


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class NotText(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]  # noqa: PLE0307


class Hostile(type):
    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("no")


class HostileError(Exception, metaclass=Hostile):
    pass


def raising(error: BaseException) -> testing.Result:
    @job
    def fails() -> NoReturn:
        raise error

    return testing.run(fails)


@pytest.mark.parametrize(
    ("error", "status", "reason", "message"),
    [
        (NoItems("none today"), "completed", "no_items", "none today"),
        (Skip("a holiday"), "completed", "skipped", "a holiday"),
        (ValueError("bad"), "failed", "error", "bad"),
        (MemoryError(), "failed", "out_of_memory", ""),
        (SystemExit(3), "failed", "error", "the code called sys.exit(3)"),
        (KeyboardInterrupt(), "failed", "error", "the code raised KeyboardInterrupt"),
        (GeneratorExit(), "failed", "error", ""),
        (StopRequested(), "stopped", "stopped", ""),
        (Unreadable(), "failed", "error", "<a Unreadable without a readable text>"),
        (NotText(), "failed", "error", "<a NotText without a readable text>"),
        (ValueError("\ud800 \x00"), "failed", "error", "? �"),
    ],
)
def test_how_a_job_ends_by_what_it_raises(
    error: BaseException, status: str, reason: str, message: str
) -> None:
    result = raising(error)

    assert (result.status, result.reason) == (status, reason)
    assert result.message.startswith(message)
    if result.reason:
        assert REASONS[Reason(result.reason)].status is Status(result.status)


def test_an_early_end_leaves_the_later_steps_alone() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def look() -> None:
        raise NoItems("no mail")

    @pipeline.step
    def work() -> None:
        raise AssertionError

    result = testing.run(pipeline)

    assert (result.status, result.reason, result.message) == ("completed", "no_items", "no mail")
    assert list(result.steps) == ["look"]


def test_retry_may_ask_for_a_time() -> None:
    assert raising(Retry("later", after="2m")).retry_after_s == 120
    assert raising(Retry()).retry_after_s is None
    assert raising(Retry(after=0)).retryable
    with pytest.raises(InvalidValue):
        Retry(after="soon")


def test_fail_is_for_good_and_carries_its_hint() -> None:
    result = raising(Fail("no such table", hint="Create it.", link="https://example.org/t"))

    assert not result.retryable
    assert result.error is not None
    assert (result.error.hint, result.error.link) == ("Create it.", "https://example.org/t")


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(OSError(), True), (TimeoutError(), False), (ValueError(), False)],
)
def test_only_the_errors_that_are_named_are_tried_again(error: Exception, retryable: bool) -> None:
    @job(retries=3, retry_on=OSError, no_retry_on=(TimeoutError,))
    def fails() -> None:
        raise error

    assert testing.run(fails).retryable is retryable


def test_a_step_has_rules_of_its_own() -> None:
    pipeline = Pipeline("p", no_retry_on=ValueError)

    @pipeline.step(retry_on=ValueError)
    def fails() -> None:
        raise ValueError

    assert testing.run(pipeline).retryable


@pytest.mark.parametrize(
    ("error", "hint", "link"),
    [
        (KeyError("city"), "Add the column.", ""),
        (ValueError("quota of 5 exceeded"), "Wait for midnight.", "https://example.org/quota"),
        (RuntimeError("code 17"), "Seventeen.", ""),
        (ConnectionRefusedError("Connection refused"), "Nothing listens at that address", ""),
        (LookupError("unheard of"), "", ""),
    ],
)
def test_hints_are_the_authors_own_then_common_ones(error: Exception, hint: str, link: str) -> None:
    @job(
        hints={
            KeyError: "Add the column.",
            "quota .* exceeded": ("Wait for midnight.", "https://example.org/quota"),
            re.compile("CODE 17", re.IGNORECASE): "Seventeen.",
        }
    )
    def fails() -> None:
        raise error

    told = testing.run(fails).error

    assert told is not None
    assert told.hint.startswith(hint)
    assert bool(told.hint) is bool(hint)
    assert told.link == link


def test_a_hostile_class_breaks_nothing() -> None:
    @job(retry_on=HostileError, hints={HostileError: "?"})
    def fails() -> None:
        raise ValueError("plain")

    assert testing.run(fails).message == "plain"


def test_the_traceback_shows_user_code_with_causes_only() -> None:
    def inner() -> None:
        raise KeyError("city")

    @job
    def fails(ctx: Context) -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("no city") from error

    told = testing.run(fails).error

    assert told is not None
    assert told.type == "ValueError"
    assert "KeyError: 'city'" in told.traceback
    assert "direct cause" in told.traceback
    assert "in inner" in told.traceback
    assert "in fails" in told.traceback
    assert "execution.py" not in told.traceback


def test_a_traceback_is_bounded() -> None:
    error = raising(ValueError("x" * 1_000_000)).error
    assert error is not None
    assert len(error.traceback) <= failure.TRACEBACK_CHARS
    assert len(error.message) <= failure.MESSAGE_CHARS

    @job
    def deep(ctx: Context) -> None:
        def down(n: int) -> None:
            down(n + 1)

        down(0)

    told = testing.run(deep).error
    assert told is not None
    assert told.type == "RecursionError"
    assert len(told.traceback) < 10_000


def test_groups_of_errors_are_told_too() -> None:
    error = raising(ExceptionGroup("both", [ValueError("a"), OSError("b")])).error

    assert error is not None
    assert "ValueError: a" in error.traceback


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "a object that is not JSON"),
        ({(1, 2): 3}, "a dict that is not JSON"),
        ("x" * (limits.RESULT_BYTES + 1), "a str of 1,000,003 bytes of JSON"),
        ((n for n in [1]), "a generator that is not JSON"),
        ("\ud800", "a str that is not JSON"),
    ],
)
def test_a_result_that_cannot_be_kept_is_told_by_type_and_size(value: Any, words: str) -> None:
    @job
    def big() -> Any:
        return value

    result = testing.run(big)

    assert (result.status, result.reason) == ("failed", "invalid_result")
    assert result.message.startswith(f"result of big: {words}")
    assert not result.retryable


def test_a_result_without_end_is_told() -> None:
    @job
    def circular() -> Any:
        value: list[Any] = []
        value.append(value)
        return value

    assert testing.run(circular).reason == "invalid_result"


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [(429, "7", 7.0), (503, "120", 120.0), (429, "", None), (500, "7", None), (429, "x", None)],
)
def test_what_a_server_asks_to_wait_is_kept(
    status: int, header: str, seconds: float | None
) -> None:
    @job
    def fetch(ctx: Context) -> None:
        try:
            ctx.http.get("https://example.org/").raise_for_status()
        except httpx.HTTPError as error:
            raise RuntimeError("could not fetch") from error

    result = testing.run(
        fetch, http=lambda _request: httpx.Response(status, headers={"retry-after": header})
    )

    assert result.status == "failed"
    assert result.retry_after_s == seconds


def test_a_date_to_wait_for_is_understood() -> None:
    @job
    def fetch(ctx: Context) -> None:
        ctx.http.get("https://example.org/").raise_for_status()

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, headers={"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"})

    seconds = testing.run(fetch, http=answer).retry_after_s

    assert seconds is not None
    assert seconds > 10**9
