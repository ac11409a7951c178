"""Running a job: its steps in order, from the first that is not done, and how it ended."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import JobError
from jobdeck.domain.states import REASONS, Reason, Status
from jobdeck.sdk import failure, jsonable
from jobdeck.sdk.context import Context
from jobdeck.sdk.control import Fail, NoItems, Retry, Skip, StopRequested
from jobdeck.sdk.jsonable import NotJson
from jobdeck.sdk.plan import Plan, StepPlan
from jobdeck.sdk.runtime import JobView, Runtime
from jobdeck.sdk.step_run import StepRun

WAITING = "waiting"
Finish = Callable[[Any, StepPlan, JobView, Runtime], Awaitable[bytes | None]]
"""Makes of what a step has returned, perhaps a coroutine, its result in JSON."""


class Ending(Struct, frozen=True):
    """How an attempt ended: completed, failed, stopped, or waiting for children."""

    status: str
    result: bytes | None = None
    reason: str = ""
    message: str = ""
    error: JobError | None = None
    retryable: bool = True
    retry_after_s: float | None = None


COMPLETED = Ending("completed")


def run_job(plan: Plan, job: JobView, runtime: Runtime, started_at: Micros) -> Ending:
    """Run the job to its end. Nothing that user code does makes this raise.

    Steps that an earlier attempt completed are not run again. A step that made children ends
    the job as `waiting`, to be run again when they have ended.
    """
    try:
        values = plan.params.read(job.params)
    except InvalidValue as error:
        return invalid_config(error, plan, job.params)
    except BaseException as error:  # a model's validators are user code
        return _ending_of(error, plan, plan.steps[0], job, runtime)
    if plan.single and not job.done:
        return _run_single(plan, job, runtime, values, started_at)
    return _at_once(_run_steps(plan, job, runtime, values, _finished))


async def run_beside(plan: Plan, job: JobView, runtime: Runtime, started_at: Micros) -> Ending:
    """The same for a pipeline whose steps are coroutines: it runs in the caller's task, beside
    others, and only a step of its own can be cancelled."""
    try:
        values = plan.params.read(job.params)
    except InvalidValue as error:
        return invalid_config(error, plan, job.params)
    except BaseException as error:  # a model's validators are user code
        return _ending_of(error, plan, plan.steps[0], job, runtime)
    if plan.single and not job.done:
        step = plan.steps[0]
        runtime.step = step.name
        ctx = Context(job, runtime, plan, step, values, started_at)
        try:
            data = _encoded(await step.invoke(ctx, None, values), step)
        except BaseException as error:
            return _settle(_ending_of(error, plan, step, job, runtime), ctx.books)
        return _settle(Ending("completed", data), ctx.books)
    return await _run_steps(plan, job, runtime, values, _awaited)


def invalid_config(error: InvalidValue, plan: Plan, params: bytes) -> Ending:
    """The job's parameters do not fit its pipeline; all that do not are named."""
    # Only here: it takes time to import.
    from jobdeck.domain.schema import ParamsCheck

    message = str(error)
    try:
        problems = ParamsCheck(plan.params.schema).problems(msgspec.json.decode(params))
    except Exception:  # the schema, or the parameters as a whole, may be what is wrong
        problems = {}
    problems = problems or {error.field: message.removeprefix(f"{error.field}: ")}
    told = JobError(type="InvalidValue", message=message, problems=problems)
    return Ending("failed", None, Reason.INVALID_CONFIG, message, told, False)


def _run_single(
    plan: Plan, job: JobView, runtime: Runtime, values: Any, started_at: Micros
) -> Ending:
    # The quickest way: no report and no books unless the step asks for some.
    step = plan.steps[0]
    runtime.step = step.name
    ctx: Context | None = None
    if step.takes.takes_context:
        ctx = Context(job, runtime, plan, step, values, started_at)
    try:
        result = step.invoke(ctx, None, values)
        data = None if result is None else _finish(result, step, job, runtime)
    except BaseException as error:
        return _settle(_ending_of(error, plan, step, job, runtime), ctx.books if ctx else None)
    if ctx is not None and ctx.books is not None:
        return _settle(Ending("completed", data), ctx.books)
    return COMPLETED if data is None else Ending("completed", data)


async def _run_steps(
    plan: Plan, job: JobView, runtime: Runtime, values: Any, finish: Finish
) -> Ending:
    done = {step.position: step.result for step in job.done}
    data: bytes | None = None
    first = True
    for step in plan.steps:
        if step.position in done:
            data = done[step.position]
            continue
        if runtime.stop_reason(job):
            return stopped(job, runtime)
        ending = await _run_step(plan, step, job, runtime, values, data, first, finish)
        if ending.status != "completed" or ending.reason:
            return ending
        data, first = ending.result, False
    return Ending("completed", data)


async def _run_step(
    plan: Plan,
    step: StepPlan,
    job: JobView,
    runtime: Runtime,
    values: Any,
    before: bytes | None,
    resumed: bool,
    finish: Finish,
) -> Ending:
    started_at = clock.now()
    runtime.step = step.name
    run = StepRun(job, runtime, step.name, step.position, started_at, resumed)
    run.begin()
    ctx = Context(job, runtime, plan, step, values, started_at, run)
    try:
        given = _given(step, before)
        data = await finish(step.invoke(ctx, given, values), step, job, runtime)
    except BaseException as error:
        return _settle(_ending_of(error, plan, step, job, runtime), run)
    return _settle(Ending("completed", data), run)


def _given(step: StepPlan, before: bytes | None) -> Any:
    if before is None or not step.takes.result_name:
        return None
    try:
        return step.read_result(before)
    except ValueError as error:
        raise NotJson(
            step.takes.result_name,
            f"the result of the step before does not fit {step.name!r}: {error}",
        ) from None


def _finish(result: Any, step: StepPlan, job: JobView, runtime: Runtime) -> bytes | None:
    if step.asynchronous or inspect.iscoroutine(result):
        result = runtime.run_coroutine(job, result)
        if result is None:
            return None
    return jsonable.encode(result, f"result of {step.name}")


async def _finished(result: Any, step: StepPlan, job: JobView, runtime: Runtime) -> bytes | None:
    """The result of a step that has this thread for itself: it never waits."""
    return None if result is None else _finish(result, step, job, runtime)


async def _awaited(result: Any, step: StepPlan, job: JobView, runtime: Runtime) -> bytes | None:
    del job, runtime
    return _encoded(await result, step)


def _encoded(result: Any, step: StepPlan) -> bytes | None:
    return None if result is None else jsonable.encode(result, f"result of {step.name}")


def _at_once(job: Coroutine[Any, Any, Ending]) -> Ending:
    """What a coroutine gives that waits for nothing."""
    try:
        job.send(None)
    except StopIteration as done:
        ending: Ending = done.value
        return ending
    raise AssertionError("a step of its own thread waited")


def _settle(ending: Ending, run: StepRun | None) -> Ending:
    """Close the books of the step; what fails in that is the outcome."""
    if run is None:
        return ending
    try:
        run.end(ending.status, ending.result, ending.error)
    except BaseException as error:  # such as a disk that is full
        if ending.status == "completed":
            told = failure.describe(error, run.name, {})
            return Ending("failed", None, Reason.ERROR, told.message, told)
    if run.mapped and ending.status == "completed" and not ending.reason:
        return Ending(WAITING)
    return ending


def _ending_of(
    error: BaseException, plan: Plan, step: StepPlan, job: JobView, runtime: Runtime
) -> Ending:
    if isinstance(error, NoItems):
        return Ending("completed", None, Reason.NO_ITEMS, failure.text(error))
    if isinstance(error, Skip):
        return Ending("completed", None, Reason.SKIPPED, failure.text(error))
    if isinstance(error, StopRequested) or (_is_cancel(error) and runtime.stop_reason(job)):
        return stopped(job, runtime)
    told = failure.describe(error, step.name, plan.hints)
    if isinstance(error, NotJson):
        return Ending("failed", None, Reason.INVALID_RESULT, told.message, told, False)
    if isinstance(error, MemoryError):
        return Ending("failed", None, Reason.OUT_OF_MEMORY, told.message, told)
    if isinstance(error, Retry):
        return Ending("failed", None, Reason.ERROR, told.message, told, True, error.after_s)
    retryable = not isinstance(error, Fail) and _allows(step, error)
    after = failure.retry_after_s(error, time.time()) if retryable else None
    return Ending("failed", None, Reason.ERROR, told.message, told, retryable, after)


def _is_cancel(error: BaseException) -> bool:
    return type(error).__name__ == "CancelledError"


def _allows(step: StepPlan, error: BaseException) -> bool:
    try:
        return step.rules.allow(error)
    except Exception:  # a class may forbid even isinstance
        return True


def stopped(job: JobView, runtime: Runtime) -> Ending:
    """The job ends because somebody asked for it, or because its time is up."""
    why = runtime.stop_reason(job)
    reason = Reason(why) if why in REASONS else Reason.STOPPED
    status = REASONS[reason].status
    if status is Status.FAILED:
        return Ending("failed", None, reason, REASONS[reason].meaning)
    return Ending("stopped", None, reason)
