from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from jobdeck import Context, Pipeline, job, testing
from jobdeck.domain.errors import Duplicate, InvalidValue
from jobdeck.domain.retry import RetryPolicy
from jobdeck.sdk import registry


def test_a_job_is_a_pipeline_of_one_step_named_after_its_function() -> None:
    @job(queue="mail", retries=5, backoff="10s", timeout="30s", priority=7)
    def send(ctx: Context, to: str) -> None:
        """Send a letter."""

    manifest = send.manifest

    assert manifest.name == "send"
    assert [step.name for step in manifest.steps] == ["send"]
    assert (manifest.queue, manifest.priority, manifest.timeout_s) == ("mail", 7, 30.0)
    assert manifest.retry == RetryPolicy(5, 10.0)
    assert manifest.doc == "Send a letter."


def test_a_job_stays_callable_as_the_plain_function() -> None:
    @job
    def double(n: int) -> int:
        """Twice as much."""
        return 2 * n

    assert double(4) == 8
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice as much."


def test_a_step_stays_the_function_that_it_was() -> None:
    pipeline = Pipeline("weather")

    @pipeline.step
    def extract(ctx: Context, url: str) -> list[str]:
        return [url]

    @pipeline.step(retries=3, timeout="1m", name="put")
    def load(ctx: Context, files: list[str]) -> int:
        return len(files)

    assert extract(testing.context(), "x") == ["x"]
    assert load(testing.context(), ["x"]) == 1
    steps = pipeline.manifest.steps
    assert [step.name for step in steps] == ["extract", "put"]
    assert steps[0].retry is None
    assert steps[1].retry == RetryPolicy(3)
    assert steps[1].timeout_s == 60.0


def test_schedules_belong_to_the_definition() -> None:
    @job(schedule=["0 5 * * *", "*/5 * * * *"], timezone="Europe/Amsterdam", every="1m")
    def tidy() -> None: ...

    assert tidy.manifest.schedules == [
        {"cron": "0 5 * * *", "timezone": "Europe/Amsterdam"},
        {"cron": "*/5 * * * *", "timezone": "Europe/Amsterdam"},
        {"interval_s": 60.0},
    ]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"retries": -1}, "retries"),
        ({"retries": "3"}, "retries"),
        ({"backoff": "soon"}, "backoff"),
        ({"timeout": "0"}, "timeout"),
        ({"priority": "high"}, "priority"),
        ({"queue": "a/b"}, "queue name"),
        ({"queue": "BULK"}, "queue name"),
        ({"name": "no spaces"}, "job name"),
        ({"name": "all"}, "job name"),
        ({"schedule": "every day"}, "cron"),
        ({"schedule": "0 5 * * *", "timezone": "Mars"}, "timezone"),
        ({"every": "-1s"}, "every"),
        ({"retry_on": "ValueError"}, "retry_on"),
        ({"no_retry_on": (1,)}, "no_retry_on"),
        ({"hints": {3: "x"}}, "hints"),
        ({"hints": {"(": "x"}}, "hints"),
        ({"hints": {ValueError: 5}}, "hints"),
    ],
)
def test_a_setting_that_will_not_do_is_refused_by_name(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidValue) as refused:

        @job(**settings)
        def never() -> None: ...

    assert refused.value.field == named
    assert registry.every() == {}


def test_an_unknown_setting_is_a_type_error_that_lists_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"retrys.*retries"):

        @job(retrys=3)  # type: ignore[call-overload, untyped-decorator]
        def never() -> None: ...


def test_two_pipelines_of_a_name_are_an_error_that_names_both_places() -> None:
    Pipeline("weather")

    with pytest.raises(Duplicate) as refused:
        Pipeline("weather")

    assert str(refused.value).count("test_definitions.py, line ") == 2


def test_two_steps_of_a_name_are_an_error() -> None:
    pipeline = Pipeline("weather")

    def one() -> None: ...

    pipeline.step(one)
    with pytest.raises(InvalidValue, match="already has a step 'one'"):
        pipeline.step(one)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(InvalidValue, match="name="):
        job(lambda: None)


def test_a_generator_is_refused_as_a_step() -> None:
    with pytest.raises(InvalidValue, match="yields"):

        @job
        def rows() -> Any:
            yield 1


def test_a_pipeline_without_steps_says_so() -> None:
    with pytest.raises(InvalidValue, match="has no steps"):
        _ = Pipeline("empty").manifest


def test_the_fingerprint_follows_the_definition() -> None:
    first = Pipeline("one")
    first.step(_step)
    with registry.isolated():
        same = Pipeline("one")
        same.step(_step)
    with registry.isolated():
        other = Pipeline("one", retries=1)
        other.step(_step)

    assert first.manifest.fingerprint == same.manifest.fingerprint
    assert first.manifest.fingerprint != other.manifest.fingerprint
    assert first.manifest.code_hash
    assert first.manifest.source.endswith("test_definitions.py")


def _step() -> None: ...


def test_importing_the_package_loads_nothing_heavy_and_is_quick() -> None:
    script = (
        "import sys, time; start = time.process_time(); import jobdeck; "
        "took = time.process_time() - start; from jobdeck import job, Pipeline, Context; "
        "heavy = {'sqlalchemy', 'litestar', 'jsonschema_rs', 'httpx', 'cron_descriptor', "
        "'pydantic', 'asyncio'} & set(sys.modules); print(took < 0.5, sorted(heavy))"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert told.split() == ["True", "[]"]


def test_every_name_of_the_package_can_be_had() -> None:
    import jobdeck

    for name in jobdeck.__all__:
        assert getattr(jobdeck, name) is not None
    with pytest.raises(AttributeError):
        _ = jobdeck.nothing
