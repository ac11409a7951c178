"""The settings of a flow as a form, and read from it again."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.records import Flow
from jobdeck.domain.retry import RetryPolicy
from jobdeck.web import flow_form

MANIFEST = PipelineManifest(
    name="weather",
    steps=[StepManifest(name="load")],
    queue="etl",
    retry=RetryPolicy(retries=3, backoff_s=5.0),
    params_schema={
        "type": "object",
        "required": ["city"],
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "default": 7},
            "dry_run": {"type": "boolean", "default": False},
        },
    },
)


def flow(**more: Any) -> Flow:
    values = {"id": 1, "name": "coast", "pipeline": "weather", "queue": "etl"}
    return Flow(**{**values, "created_at": 0, "updated_at": 0, **more})


def answers(of: Flow | None) -> dict[str, str]:
    made = flow_form.fields(MANIFEST, of, ["etl"], ["coast", "weather"])
    return {field.name: str(field.value) for field in made if field.kind != "heading"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"params": {"days": 3, "dry_run": False}},
        {"priority": 5, "context": "prod", "max_running": 1, "rate": "10/m", "timeout_s": 90.0},
        {"after": ["mail:failed", "weather"]},
    ],
)
def test_what_is_not_touched_stays(more: dict[str, Any]) -> None:
    known = flow(**more)
    said = flow_form.read(MANIFEST, answers(known))
    assert {name: getattr(known, name) for name in said} == said


def test_a_retry_that_is_said_in_part_takes_the_rest_from_the_pipeline() -> None:
    said = flow_form.read(MANIFEST, answers(None) | {"retry.retries": "1"})
    assert said["retry"] == RetryPolicy(retries=1, backoff_s=5.0)
    assert said["priority"] is None
    assert said["params"] == {}


@pytest.mark.parametrize("name", ["priority", "max_running", "timeout_s", "retry.retries"])
def test_what_is_no_number_is_named(name: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        flow_form.read(MANIFEST, answers(None) | {name: "many"})
    assert refused.value.field == name


def test_no_parameter_is_required_of_a_flow() -> None:
    loose = flow_form.loosened(MANIFEST.params_schema)
    assert loose["required"] == []
    assert "default" not in loose["properties"]["days"]
    assert loose["properties"]["dry_run"]["enum"] == [True, False]
