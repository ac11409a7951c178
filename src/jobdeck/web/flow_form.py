"""The form of a flow's settings: its fields, and the settings that an answer says."""

from collections.abc import Mapping
from typing import Any

from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow
from jobdeck.domain.retry import RetryPolicy
from jobdeck.web import formats, params_form
from jobdeck.web.fields import Answers, Field, number, number_field, whole
from jobdeck.web.params_form import PREFIX, WHOLE


def fields(
    manifest: PipelineManifest, flow: Flow | None, queues: list[str], flows: list[str]
) -> list[Field]:
    """A field for each setting of the flow, or of one that is to be made (None)."""
    others = [name for name in flows if flow is None or name != flow.name]
    return [
        *_queueing(manifest, flow, queues),
        *_limits(flow),
        *_trying(manifest, flow),
        Field(
            name="after",
            label="Runs after",
            value=", ".join(flow.after) if flow else "",
            hint="Flows, such as weather, mail:failed or etl:ended; commas between them.",
            suggestions=others,
        ),
        *_params(manifest, flow),
    ]


def _queueing(manifest: PipelineManifest, flow: Flow | None, queues: list[str]) -> list[Field]:
    return [
        Field(
            name="queue",
            label="Queue",
            value=flow.queue if flow else "",
            hint="Jobs that wait keep theirs." if flow else f"Empty: {manifest.queue}.",
            required=flow is not None,
            suggestions=queues,
        ),
        number_field(
            "priority",
            "Priority",
            flow.priority if flow else None,
            "The larger goes first." if flow else f"Empty: {manifest.priority}.",
            required=flow is not None,
        ),
        Field(
            name="context",
            label="Context",
            value=flow.context if flow else "",
            hint="The named set of parameters that its jobs run with, such as dev or prod.",
        ),
    ]


def _limits(flow: Flow | None) -> list[Field]:
    return [
        number_field(
            "max_running",
            "Jobs at once",
            flow.max_running if flow else None,
            "1 runs them one after the other; empty: any number.",
        ),
        Field(
            name="rate",
            label="Rate",
            value=(flow.rate if flow else None) or "",
            hint="So many may start in a time, such as 10/m or 100/5m; empty: any number.",
        ),
    ]


def _trying(manifest: PipelineManifest, flow: Flow | None) -> list[Field]:
    retry = flow.retry if flow else None
    return [
        number_field(
            "retry.retries",
            "Retries",
            retry.retries if retry else None,
            f"Further attempts after a failed one; empty: {manifest.retry.retries}, "
            "as the pipeline says.",
        ),
        number_field(
            "retry.backoff_s",
            "Seconds before the first retry",
            retry.backoff_s if retry else None,
            "Twice as many before each further one.",
            step="any",
        ),
        number_field(
            "timeout_s",
            "Timeout in seconds",
            flow.timeout_s if flow else None,
            f"Empty: {_timeout(manifest)}",
            step="any",
        ),
    ]


def _timeout(manifest: PipelineManifest) -> str:
    if manifest.timeout_s is None:
        return "none, as the pipeline says."
    return f"{formats.duration(manifest.timeout_s)}, as the pipeline says."


def _params(manifest: PipelineManifest, flow: Flow | None) -> list[Field]:
    heading = Field(name="", label="Parameters", kind="heading")
    schema = loosened(manifest.params_schema)
    made = params_form.fields(schema, flow.params if flow else {})
    return [heading, *made]


def loosened(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema for a flow, which may say some parameters only: what is left empty is as the
    pipeline or the job says."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return dict(schema)
    parts = {name: _loose(params_form.resolve(p, schema)) for name, p in properties.items()}
    return {**schema, "required": [], "properties": parts}


def _loose(part: Mapping[str, Any]) -> dict[str, Any]:
    loose = {key: value for key, value in part.items() if key != "default"}
    if params_form.type_of(part) == "boolean" and "enum" not in part:
        loose["enum"] = [True, False]
    if "default" in part:
        hint = f"Empty: {formats.inline(part['default'])}, as the pipeline says."
        loose["description"] = f"{part.get('description', '')} {hint}".strip()
    return loose


def read_params(manifest: PipelineManifest, given: Answers) -> dict[str, Any]:
    """The parameters that the flow itself says.

    Raises:
        InvalidValue: names the one that cannot be read.
    """
    found = params_form.read(loosened(manifest.params_schema), given)
    if WHOLE in given:
        return found
    return {name: value for name, value in found.items() if given.get(f"{PREFIX}{name}")}


def read(manifest: PipelineManifest, given: Answers) -> dict[str, Any]:
    """The settings that an answer says; of priority None: as the pipeline says.

    Raises:
        InvalidValue: names the field that cannot be read.
    """
    return {
        "queue": given.get("queue", "").strip(),
        "priority": whole(given, "priority"),
        "context": given.get("context", "").strip(),
        "max_running": whole(given, "max_running"),
        "rate": given.get("rate", "").strip() or None,
        "retry": _retry(manifest, given),
        "timeout_s": number(given, "timeout_s"),
        "after": [name.strip() for name in given.get("after", "").split(",") if name.strip()],
        "params": read_params(manifest, given),
    }


def _retry(manifest: PipelineManifest, given: Answers) -> RetryPolicy | None:
    retries = whole(given, "retry.retries")
    backoff_s = number(given, "retry.backoff_s")
    if retries is None and backoff_s is None:
        return None
    own = manifest.retry
    return RetryPolicy(
        retries=own.retries if retries is None else retries,
        backoff_s=own.backoff_s if backoff_s is None else backoff_s,
        max_s=own.max_s,
        jitter=own.jitter,
    )


def run_fields(manifest: PipelineManifest, flow: Flow) -> list[Field]:
    """What is asked before a job of the flow is created."""
    return [
        *params_form.fields(manifest.params_schema, flow.params),
        Field(name="", label="How it runs", kind="heading"),
        Field(
            name="context",
            label="Context",
            value=flow.context,
            hint="The named set of parameters, such as dev or prod.",
        ),
        number_field("priority", "Priority", flow.priority, "The larger goes first."),
        Field(
            name="run_at",
            label="Not before",
            kind="datetime-local",
            step="1",
            hint="Empty: at once.",
        ),
    ]
