"""What can be said of a pipeline or step where it is defined, and checking it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from jobdeck.domain import clock, names
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.retry import RetryPolicy

ErrorClasses = type[BaseException] | Sequence[type[BaseException]]
HintKey = type[BaseException] | str | re.Pattern[str]
Hints = Mapping[HintKey, str | tuple[str, str]]
SEARCH_MAX = 8
_PARAM = re.compile(r"[^\s:\"\\]{1,100}")


class StepSettings(TypedDict, total=False):
    """`retries` more attempts (or a whole `RetryPolicy`), the first after `backoff`, then
    doubling; only after errors of `retry_on` if given, and never after those of `no_retry_on`.
    A step that says nothing does as its pipeline says."""

    name: str
    retries: int | RetryPolicy
    backoff: float | str
    timeout: float | str | None
    retry_on: ErrorClasses
    no_retry_on: ErrorClasses


class PipelineSettings(TypedDict, total=False):
    """Besides those of a step: the `queue` and `priority` of its jobs (larger goes first), the
    model of its parameters, the `memory` that one may take (512MB), what becomes of a job with
    the same parameters as an open one (`unique`: "reject" or "keep"), names of parameters that
    its jobs are to be found by quickly (`search`), when it runs by itself
    (`schedule`: one or several cron expressions in `timezone`; `every`: an interval; for both
    `jitter`, `misfire` and `overlap`), and `hints`: by error class or pattern of its text, what
    to do about it, or a pair of that and a link."""

    retries: int | RetryPolicy
    backoff: float | str
    timeout: float | str | None
    retry_on: ErrorClasses
    no_retry_on: ErrorClasses
    queue: str
    priority: int
    params: type[Any] | None
    memory: str | None
    unique: str
    search: Sequence[str]
    schedule: str | Sequence[str]
    every: float | str
    timezone: str
    jitter: float | str
    misfire: str
    overlap: str
    hints: Hints
    doc: str


class JobSettings(PipelineSettings, total=False):
    """Those of a pipeline, and `name` where the function's own will not do."""

    name: str


class RetryRules(NamedTuple):
    """After which errors another attempt may help."""

    only: tuple[type[BaseException], ...] = ()
    never: tuple[type[BaseException], ...] = ()

    def allow(self, error: BaseException) -> bool:
        """Whether it is one of `only` (if there are any) and none of `never`."""
        if isinstance(error, self.never):
            return False
        return not self.only or isinstance(error, self.only)


def refuse_unknown(given: Mapping[str, Any], kind: type, what: str) -> None:
    """Refuse settings that do not exist, as Python refuses unknown arguments.

    Raises:
        TypeError: names the setting and those that exist.
    """
    known: Mapping[str, Any] = kind.__annotations__
    for base in getattr(kind, "__orig_bases__", ()):
        known = {**getattr(base, "__annotations__", {}), **known}
    for name in given:
        if name not in known:
            raise TypeError(f"{what} has no setting {name!r}; there are: {', '.join(known)}")


def check_name(name: object, kind: str) -> str:
    """A name that fits into an address.

    Raises:
        InvalidValue: it does not.
    """
    if not isinstance(name, str) or name == "<lambda>":
        raise InvalidValue(f"{kind} name", f"{name!r} is none; give one: name='import_orders'")
    return names.check_name(name, f"{kind} name")


def check_search(given: object) -> list[str]:
    """The names of the parameters that jobs are to be found by.

    Raises:
        InvalidValue: they are none.
    """
    fits = isinstance(given, list | tuple) and len(given) <= SEARCH_MAX
    if not fits or not all(isinstance(n, str) and _PARAM.fullmatch(n) for n in given):  # type: ignore[attr-defined]
        raise InvalidValue(
            "search", f"{given!r} will not do; give at most {SEARCH_MAX} names of parameters"
        )
    return list(dict.fromkeys(given))  # type: ignore[call-overload]


def retry_policy(given: Mapping[str, Any]) -> RetryPolicy | None:
    """The policy that `retries` and `backoff` describe; None if neither is given.

    Raises:
        InvalidValue: one of them will not do.
    """
    retries = given.get("retries")
    if isinstance(retries, RetryPolicy):
        return retries
    if retries is None and "backoff" not in given:
        return None
    retries = 0 if retries is None else retries
    if not is_whole(retries, 0, 1000):
        raise InvalidValue("retries", f"{retries!r} is not a number from 0 to 1000")
    backoff = clock.parse_duration(given.get("backoff"), "backoff")
    return RetryPolicy(retries) if backoff is None else RetryPolicy(retries, backoff)


def is_whole(value: object, low: int, high: int) -> bool:
    """Whether it is a whole number between the two."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def retry_rules(given: Mapping[str, Any]) -> RetryRules | None:
    """The rules that `retry_on` and `no_retry_on` describe; None if neither is given.

    Raises:
        InvalidValue: what they hold are not error classes.
    """
    if "retry_on" not in given and "no_retry_on" not in given:
        return None
    return RetryRules(
        _classes(given.get("retry_on", ()), "retry_on"),
        _classes(given.get("no_retry_on", ()), "no_retry_on"),
    )


def _classes(value: ErrorClasses, field: str) -> tuple[type[BaseException], ...]:
    classes = (value,) if isinstance(value, type) else tuple(value)
    for kind in classes:
        if not _is_error_class(kind):
            raise InvalidValue(field, f"{kind!r} is not an error class")
    return classes


def _is_error_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def schedules(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The schedules as a manifest holds them: {cron, timezone} or {interval_s}, and the rules
    jitter_s, misfire and overlap where they are given.

    Raises:
        InvalidValue: an expression, interval, time zone or rule will not do.
    """
    rules = {name: given[name] for name in ("misfire", "overlap") if name in given}
    if given.get("jitter") is not None:
        rules["jitter_s"] = clock.parse_duration(given["jitter"], "jitter")
    made: list[dict[str, Any]] = []
    expressions = given.get("schedule", ())
    timezone = given.get("timezone", "UTC")
    for expression in [expressions] if isinstance(expressions, str) else expressions:
        # Only here: it takes time to import.
        from jobdeck.domain import cron

        cron.check(expression, timezone)
        made.append({"cron": expression, "timezone": timezone, **rules})
    if given.get("every") is not None:
        made.append({"interval_s": clock.parse_duration(given["every"], "every"), **rules})
    if rules:
        _check_rules(rules, made)
    return made


def _check_rules(rules: dict[str, Any], made: list[dict[str, Any]]) -> None:
    # Only here: it takes time to import.
    from jobdeck.domain.ticks import check_rules

    check_rules(rules)
    if not made:
        field = next(iter(rules)).removesuffix("_s")
        raise InvalidValue(field, "is for a schedule; give schedule or every, too")


def check_hints(hints: Hints) -> Hints:
    """Refuse hints by anything but an error class or a pattern.

    Raises:
        InvalidValue: names the one.
    """
    for key, hint in hints.items():
        if isinstance(key, str):
            try:
                re.compile(key)
            except re.error as error:
                raise InvalidValue("hints", f"{key!r} is not a pattern: {error}") from None
        elif not isinstance(key, re.Pattern) and not _is_error_class(key):
            raise InvalidValue("hints", f"{key!r} is neither an error class nor a pattern")
        if not _is_hint(hint):
            raise InvalidValue("hints", f"{hint!r} is neither a text nor a pair of text and link")
    return hints


def _is_hint(value: object) -> bool:
    if isinstance(value, tuple) and len(value) == 2:
        return isinstance(value[0], str) and isinstance(value[1], str)
    return isinstance(value, str)
