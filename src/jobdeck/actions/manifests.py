"""Checking a pipeline's manifest: a loader makes sound ones, but anybody may send one."""

from typing import Any

from jobdeck.domain import cron, ticks
from jobdeck.domain.builtin import check_queue
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.limits import PRIORITY_MAX
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.names import check_name
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.schema import ParamsCheck
from jobdeck.domain.uniqueness import check_rule
from jobdeck.sdk.settings import check_search

RETRIES_MAX = 1000
STEPS_MAX = 1000
SECONDS_MAX = 10 * 366 * 86400.0
_RULES = {"cron", "timezone", "interval_s", "params", "jitter_s", "misfire", "overlap"}


def check_manifest(manifest: PipelineManifest) -> None:
    """Refuse a manifest that could not be kept or run.

    Raises:
        InvalidValue: names the field, such as `steps[1].name`.
    """
    check_name(manifest.name, "name")
    check_queue(manifest.queue, "queue")
    check_priority(manifest.priority)
    if not 1 <= len(manifest.steps) <= STEPS_MAX:
        raise InvalidValue("steps", f"there are {len(manifest.steps)}; give 1 to {STEPS_MAX}")
    names: set[str] = set()
    for index, step in enumerate(manifest.steps):
        _check_step(step, f"steps[{index}]", names)
    check_retry(manifest.retry, "retry")
    check_seconds(manifest.timeout_s, "timeout_s")
    ParamsCheck(manifest.params_schema)
    if manifest.unique:
        check_rule(manifest.unique, "unique")
    check_search(manifest.search)
    for index, rule in enumerate(manifest.schedules):
        _check_rule(rule, f"schedules[{index}]")


def check_priority(priority: object) -> None:
    """Refuse a priority beyond the limits, or what is no number.

    Raises:
        InvalidValue: it is.
    """
    if not isinstance(priority, int) or not -PRIORITY_MAX <= priority <= PRIORITY_MAX:
        raise InvalidValue("priority", f"{priority} is no whole number within ±{PRIORITY_MAX:,}")


def check_seconds(seconds: float | None, field: str) -> None:
    """Refuse a duration that is not above zero, or of more than ten years.

    Raises:
        InvalidValue: it is; the error names `field`.
    """
    if seconds is not None and not 0 < seconds <= SECONDS_MAX:
        raise InvalidValue(field, f"{seconds:g} is not a number of seconds above zero")


def _check_step(step: StepManifest, field: str, names: set[str]) -> None:
    check_name(step.name, f"{field}.name")
    if step.name in names:
        raise InvalidValue(f"{field}.name", f"{step.name!r} is the name of an earlier step")
    names.add(step.name)
    if step.retry is not None:
        check_retry(step.retry, f"{field}.retry")
    check_seconds(step.timeout_s, f"{field}.timeout_s")


def check_retry(policy: RetryPolicy, field: str) -> None:
    """Refuse a policy beyond the limits.

    Raises:
        InvalidValue: it is; the error names the part, such as `retry.retries`.
    """
    limits = {
        "retries": RETRIES_MAX,
        "backoff_s": SECONDS_MAX,
        "max_s": SECONDS_MAX,
        "jitter": 1.0,
    }
    for name, most in limits.items():
        value = getattr(policy, name)
        if not 0 <= value <= most:
            raise InvalidValue(f"{field}.{name}", f"{value:g} is not within 0 and {most:g}")


def _check_rule(rule: dict[str, Any], field: str) -> None:
    for name in rule:
        if name not in _RULES:
            known = ", ".join(sorted(_RULES))
            raise InvalidValue(f"{field}.{name}", f"no such field; there are: {known}")
    expression, interval = rule.get("cron", ""), rule.get("interval_s")
    timezone, params = rule.get("timezone", "UTC"), rule.get("params", {})
    if not isinstance(expression, str) or not isinstance(timezone, str):
        raise InvalidValue(field, "cron and timezone are texts")
    if not isinstance(params, dict):
        raise InvalidValue(f"{field}.params", "is not an object")
    jitter = rule.get("jitter_s", 0)
    if isinstance(jitter, bool) or not isinstance(jitter, int | float):
        raise InvalidValue(f"{field}.jitter_s", "is not a number of seconds")
    try:
        ticks.check_rules(rule)
    except InvalidValue as error:
        message = str(error).removeprefix(f"{error.field}: ")
        raise InvalidValue(f"{field}.{error.field}", message) from None
    if bool(expression) == (interval is not None):
        raise InvalidValue(field, "give either cron or interval_s")
    cron.zone(timezone)
    if expression:
        cron.check(expression, timezone)
    elif isinstance(interval, bool) or not isinstance(interval, int | float):
        raise InvalidValue(f"{field}.interval_s", "is not a number of seconds")
    else:
        check_seconds(interval, f"{field}.interval_s")
