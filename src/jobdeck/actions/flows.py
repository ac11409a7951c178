"""What may be asked for of flows: adding, editing, removing them."""

from collections.abc import Sequence
from typing import Any

from jobdeck.actions.manifests import check_priority, check_retry, check_seconds
from jobdeck.actions.perform import Tx, action
from jobdeck.domain.builtin import check_queue
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.names import check_name, check_text
from jobdeck.domain.records import Flow
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.roles import Role
from jobdeck.domain.schema import ParamsCheck
from jobdeck.store import flows, pipelines


@action("flow.add", Role.OPERATOR, "add flows", wakes=True)
def add(
    tx: Tx,
    name: str,
    pipeline: str,
    *,
    queue: str = "",
    priority: int | None = None,
    params: dict[str, Any] | None = None,
    context: str = "",
    retry: RetryPolicy | None = None,
    timeout_s: float | None = None,
    max_running: int | None = None,
    rate: str | None = None,
    after: Sequence[str] = (),
) -> Flow:
    """Configure a new flow of a pipeline; what is not given is as the pipeline says. Its
    parameters may be some of those that the pipeline takes. At most `max_running` of its jobs
    run at once (1: one after the other), and they start at the `rate`, such as 10/m. It runs
    `after` other flows: `weather` when a job of that has completed, `mail:failed`, `etl:ended`.

    Raises:
        InvalidValue: names the value that does not fit.
        NotFound: no such pipeline.
        Duplicate: there is a flow of that name.
    """
    tx.target = f"flow {check_name(name, 'name')}"
    settings: dict[str, Any] = {
        "queue": queue,
        "priority": priority,
        "params": params or {},
        "context": context,
        "retry": retry,
        "timeout_s": timeout_s,
        "max_running": max_running,
        "rate": rate,
        "after": list(after),
    }
    _check(settings, pipelines.get(tx.conn, pipeline).manifest)
    flow = flows.create(tx.conn, name=name, pipeline=pipeline, now=tx.now, **settings)
    tx.detail = {"pipeline": pipeline, **settings}
    tx.changed("flow", name, "added")
    return flow


@action("flow.edit", Role.OPERATOR, "edit flows", wakes=True)
def edit(tx: Tx, name: str, changes: dict[str, Any]) -> Flow:
    """Change what is named of queue, priority, params, context, retry, timeout_s, max_running,
    rate and after. Jobs that wait keep their queue, priority and parameters.

    Raises:
        NotFound: no such flow.
        InvalidValue: names the value that does not fit.
    """
    tx.target = f"flow {name}"
    before = flows.get(tx.conn, name)
    _check(changes, pipelines.get(tx.conn, before.pipeline).manifest)
    flow = flows.edit(tx.conn, name, changes, tx.now)
    tx.detail = {
        field: {"before": getattr(before, field), "after": getattr(flow, field)}
        for field in changes
    }
    tx.changed("flow", name, "edited")
    return flow


@action("flow.remove", Role.OPERATOR, "remove flows")
def remove(tx: Tx, name: str) -> None:
    """Take it away with its schedules and its place before and after other flows; its jobs
    remain to be seen.

    Raises:
        NotFound: no such flow.
        WrongState: some of its jobs have not ended, or it is its pipeline's default flow.
    """
    tx.target = f"flow {name}"
    flows.delete(tx.conn, name, tx.now)
    tx.changed("flow", name, "removed")
    tx.changed("schedule", "", "removed")


def _check(settings: dict[str, Any], manifest: PipelineManifest) -> None:
    priority = settings.get("priority")
    if priority is not None:
        check_priority(priority)
    check_seconds(settings.get("timeout_s"), "timeout_s")
    if settings.get("retry") is not None:
        check_retry(settings["retry"], "retry")
    if settings.get("queue"):
        check_queue(settings["queue"], "queue")
    if settings.get("context"):
        check_text(settings["context"], "context")
    if settings.get("params"):
        check_some(settings["params"], manifest)


def check_some(params: dict[str, Any], manifest: PipelineManifest) -> None:
    """Refuse parameters that do not fit; the required ones need not all be there, since jobs
    give the rest.

    Raises:
        InvalidValue: names the parameter.
    """
    schema = {key: rule for key, rule in manifest.params_schema.items() if key != "required"}
    ParamsCheck(schema).check(params)
