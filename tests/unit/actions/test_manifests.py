"""Manifests that anybody may send."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.actions.manifests import check_manifest
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.retry import RetryPolicy


def make(**more: Any) -> PipelineManifest:
    values: dict[str, Any] = {"name": "load", "steps": [StepManifest(name="load")]}
    return PipelineManifest(**{**values, **more})


def test_a_sound_one_passes() -> None:
    check_manifest(
        make(
            params_schema={"type": "object", "$defs": {"x": {}}, "$ref": "#/$defs/x"},
            schedules=[
                {"cron": "0 5 * * *", "timezone": "Europe/Paris"},
                {"interval_s": 60},
                {"interval_s": 300, "jitter_s": 10.0, "misfire": "skip", "overlap": "queue"},
            ],
            retry=RetryPolicy(3),
            timeout_s=5.0,
        )
    )


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"queue": "all"}, "queue"),
        ({"queue": "SCHEDULER"}, "queue"),
        ({"priority": 10**20}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"steps": []}, "steps"),
        ({"steps": [StepManifest(name="a"), StepManifest(name="a")]}, "steps[1].name"),
        ({"steps": [StepManifest(name="a", timeout_s=-1)]}, "steps[0].timeout_s"),
        ({"steps": [StepManifest(name="a", retry=RetryPolicy(-1))]}, "steps[0].retry.retries"),
        ({"retry": RetryPolicy(1, backoff_s=float("inf"))}, "retry.backoff_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"params_schema": {"type": 5}}, "params_schema"),
        ({"params_schema": {"properties": 5}}, "params_schema"),
        ({"params_schema": {"$ref": "file:///etc/hostname"}}, "params_schema"),
        ({"params_schema": {"$ref": "http://127.0.0.1:9/schema"}}, "params_schema"),
        ({"schedules": [{"cron": "never"}]}, "cron"),
        ({"schedules": [{"cron": "* * * * *", "timezone": "Moon"}]}, "timezone"),
        ({"schedules": [{"cron": 5}]}, "schedules[0]"),
        ({"schedules": [{}]}, "schedules[0]"),
        ({"schedules": [{"interval_s": "5"}]}, "schedules[0].interval_s"),
        ({"schedules": [{"interval_s": 5, "params": []}]}, "schedules[0].params"),
        ({"schedules": [{"every": 5}]}, "schedules[0].every"),
        ({"schedules": [{"interval_s": 5, "jitter_s": "1"}]}, "schedules[0].jitter_s"),
        ({"schedules": [{"interval_s": 5, "jitter_s": -1}]}, "schedules[0].jitter_s"),
        ({"schedules": [{"interval_s": 5, "misfire": "never"}]}, "schedules[0].misfire"),
    ],
)
def test_an_unsound_one_is_refused(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_manifest(make(**more))
    assert caught.value.field == field
