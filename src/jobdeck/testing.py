"""Running pipelines in tests: in this process, without a store, a server or workers.

    result = testing.run(weather, url="https://example.org/data.csv", http=answer)
    assert result.status == "completed"
    assert result.steps["load"].counts.written == 100

Steps, checkpoints, retries and stops work as they do in a worker: it is the same code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from jobdeck.domain import clock
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Counts, JobError
from jobdeck.sdk import jsonable, transport
from jobdeck.sdk.context import Context
from jobdeck.sdk.execution import WAITING, Ending, run_job
from jobdeck.sdk.memory import Assignment, Http, MemoryRuntime
from jobdeck.sdk.pipeline import Pipeline
from jobdeck.sdk.plan import Plan
from jobdeck.sdk.runtime import StepState


class Result:
    """How an attempt ended, and all that it said.

    `status` is completed, failed or stopped; `result` what the last step returned, as JSON
    gives it back. `steps` has the newest state of each step by its name, `items` that of each
    item that the flow takes once.
    """

    def __init__(self, ending: Ending, assignment: Assignment, runtime: MemoryRuntime) -> None:
        self.status = ending.status
        self.reason = str(ending.reason)
        self.message = ending.message
        self.error: JobError | None = ending.error
        self.retryable = ending.retryable
        self.retry_after_s = ending.retry_after_s
        self.result: Any = None if ending.result is None else msgspec.json.decode(ending.result)
        self.attempt = assignment.attempt
        self.steps = {state.name: state for _, state in sorted(runtime.steps.items())}
        self.logs = runtime.lines
        self.progress = runtime.progress
        self.http_calls = runtime.http_calls
        self.children = runtime.children
        self.enqueued = runtime.enqueued
        self.files = runtime.kept
        self.items = {
            f"{source}/{item}" if source else item: state
            for (source, item), state in runtime.items.states.items()
        }
        self.runtime = runtime

    @property
    def counts(self) -> Counts:
        """The counts of all steps together."""
        return Counts.of_all(state.counts for state in self.steps.values())

    def completed(self) -> Result:
        """The same result.

        Raises:
            AssertionError: the job did not complete; tells the error with its traceback.
        """
        if self.status != "completed":
            told = self.error.traceback if self.error else self.message
            raise AssertionError(f"The job is {self.status} ({self.reason}): {told}")
        return self

    def __repr__(self) -> str:
        told = f": {self.error.type}: {self.error.message}" if self.error else ""
        return f"<Result {self.status} {self.reason}{told}>"


def run(
    pipeline: Pipeline,
    params: object = None,
    /,
    *,
    resume: Result | None = None,
    after: Result | None = None,
    stop_after_chunks: int | None = None,
    http: Http | None = None,
    files: Path | None = None,
    context: str = "",
    **fields: Any,
) -> Result:
    """Run a job of the pipeline, and its children, to the end; `ctx.sleep` does not wait.

    Parameters are given by name, or as one dict or model. `resume` is an earlier result: the
    job goes on as a new attempt, from the step and checkpoint where that one ended. `after` is
    the result of another job of the flow: the items that it took are known to this one.
    `stop_after_chunks` asks it to stop once so many chunks are committed. `http` answers the
    calls of `ctx.http`; without it they go to the network. `files` is the folder for files.

    Raises:
        InvalidValue: the pipeline's steps do not fit together. Parameters that do not fit are
            a result: failed, invalid_config.
    """
    runtime = MemoryRuntime(
        _run_child,
        resume.runtime if resume else None,
        files,
        http,
        stop_after_chunks,
        after.runtime if after else None,
    )
    return _run(pipeline, pipeline.plan, _encode(params, fields), runtime, resume, context)


def _run_child(pipeline: Pipeline, item: Any, runtime: MemoryRuntime) -> tuple[str, Any, str]:
    child = run(pipeline, item, http=runtime.http_transport, files=runtime.files_dir)
    error = child.message or (child.error.message if child.error else "")
    return child.status, child.result, error


def run_step(
    pipeline: Pipeline,
    step: str,
    params: object = None,
    /,
    *,
    result: Any = None,
    http: Http | None = None,
    files: Path | None = None,
    **fields: Any,
) -> Result:
    """Run one step alone, given the `result` of the step before it.

    Raises:
        NotFound: the pipeline has no such step.
        InvalidValue: the pipeline's steps do not fit together.
    """
    plan = pipeline.plan
    found = next((s for s in plan.steps if s.name == step), None)
    if found is None:
        raise NotFound("step", step, f"There are: {', '.join(s.name for s in plan.steps)}.")
    runtime = MemoryRuntime(_run_child, files=files, http=http)
    given = None if result is None else jsonable.encode(result)
    for earlier in plan.steps[: found.position]:
        runtime.done[earlier.position] = given
    alone = Plan(plan.name, plan.steps[: found.position + 1], plan.params, plan.hints, False)
    return _run(pipeline, alone, _encode(params, fields), runtime, None, "")


def context(**params: Any) -> Context:
    """A context for calling a step as the plain function that it is."""
    holder = Pipeline.__new__(Pipeline)
    holder.name, holder.file, holder.line = "test", __file__, 0
    holder._define({})
    holder.step(_any_step)
    plan = holder.plan
    assignment = Assignment("test", msgspec.json.encode(jsonable.builtins(params)))
    runtime = MemoryRuntime(_run_child)
    values = plan.params.read(assignment.params)
    return Context(assignment, runtime, plan, plan.steps[0], values, clock.now())


def _any_step(ctx: Context, **params: Any) -> None:
    del ctx, params


def _encode(params: object, fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(jsonable.builtins(fields if params is None else params))


def _run(
    pipeline: Pipeline,
    plan: Plan,
    params: bytes,
    runtime: MemoryRuntime,
    resume: Result | None,
    context: str,
) -> Result:
    attempt = resume.attempt + 1 if resume else 1
    while True:
        assignment = Assignment(pipeline.name, params, attempt, context, runtime)
        with transport.using(runtime):
            ending = run_job(plan, assignment, runtime, clock.now())
        if ending.status != WAITING:
            break
    runtime.items.end(completed=ending.status == "completed")
    if plan.single and not runtime.steps:
        runtime.steps[0] = StepState(
            position=0,
            name=plan.steps[0].name,
            status=ending.status,
            started_at=0,
            result=ending.result,
            error=ending.error,
        )
    return Result(ending, assignment, runtime)
