"""Running pipelines in tests: in this process, without a store, a server or workers.

    result = testing.run(weather, url="https://example.org/data.csv", http=answer)
    assert result.status == "completed"
    assert result.steps["load"].counts.written == 100

Steps, checkpoints, retries and stops work as they do in a worker: it is the same code.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.errors import NotFound
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Counts, JobError, Progress
from jobdeck.sdk import jsonable, registry, transport
from jobdeck.sdk.children import ChildResult
from jobdeck.sdk.context import Context
from jobdeck.sdk.execution import WAITING, Ending, run_job
from jobdeck.sdk.items import MemoryItems
from jobdeck.sdk.pipeline import Pipeline
from jobdeck.sdk.plan import Plan
from jobdeck.sdk.runtime import HttpRecord, JobView, StepState
from jobdeck.sdk.transport import EnqueueItem

Http = Any
"""Answers the calls of `ctx.http`: an `httpx.MockTransport`, or its handler."""


class Line(Struct, frozen=True):
    """A line that a step logged through `ctx.log`."""

    level: str
    step: str
    message: str
    fields: dict[str, Any] = {}


class Kept(Struct, frozen=True):
    """A file that the job kept."""

    name: str
    path: Path
    size: int


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
        states = self.steps.values()
        names = Counts.__struct_fields__
        return Counts(**{n: sum(getattr(state.counts, n) for state in states) for n in names})

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
    runtime = MemoryRuntime(resume, files, http, stop_after_chunks, after)
    return _run(pipeline, pipeline.plan, _encode(params, fields), runtime, resume, context)


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
    runtime = MemoryRuntime(None, files, http, None)
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
    runtime = MemoryRuntime(None, None, None, None)
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


class Done(Struct, frozen=True):
    """A step that is not run again."""

    position: int
    result: bytes | None


class Assignment:
    """The job as its pool would tell of it."""

    job = 1
    claim = 1
    parent: int | None = None

    def __init__(
        self,
        pipeline: str,
        params: bytes,
        attempt: int = 1,
        context: str = "",
        before: MemoryRuntime | None = None,
    ) -> None:
        self.pipeline = self.flow = pipeline
        self.params = params
        self.attempt = attempt
        self.context = context
        self.done: list[Done] = []
        self.checkpoint: bytes | None = None
        self.counts: Counts | None = None
        if before is not None:
            self.done = [Done(*item) for item in sorted(before.done.items())]
            open_steps = [s for p, s in sorted(before.steps.items()) if p not in before.done]
            if open_steps:
                self.checkpoint, self.counts = open_steps[0].checkpoint, open_steps[0].counts


class Folder:
    """A temporary folder that goes with the last result that refers to it."""

    @cached_property
    def path(self) -> Path:
        """Made when it is first asked for."""
        path = tempfile.mkdtemp(prefix="jobdeck-")
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return Path(path)


class MemoryRuntime:
    """What runs a job in a test, and keeps what it says."""

    def __init__(
        self,
        before: Result | None,
        files: Path | None,
        http: Http | None,
        stop_after_chunks: int | None,
        after: Result | None = None,
    ) -> None:
        self.step = ""
        known = before or after
        self.items: MemoryItems = MemoryItems(known.runtime.items if known else None)
        self.http_transport = _http_transport(http)
        self.steps: dict[int, StepState] = dict(before.runtime.steps) if before else {}
        self.done: dict[int, bytes | None] = dict(before.runtime.done) if before else {}
        self.children: list[ChildResult] = list(before.children) if before else []
        self.lines: list[Line] = []
        self.progress: list[Progress] = []
        self.http_calls: list[HttpRecord] = []
        self.enqueued: list[EnqueueItem] = []
        self.kept: dict[str, Kept] = dict(before.files) if before else {}
        self._chunks_left = stop_after_chunks
        self._stop = ""
        self._known: dict[tuple[str, int], int] = before.runtime._known if before else {}
        self._folder: Folder = before.runtime._folder if before else Folder()
        self._files = files

    @property
    def files_dir(self) -> Path:
        """The folder for files, made when it is first asked for."""
        return self._files or self._folder.path

    def log(self, job: JobView, level: str, message: str, fields: bytes | None) -> None:
        """Keep the line."""
        del job
        decoded = msgspec.json.decode(fields) if fields else {}
        self.lines.append(Line(level, self.step, message, decoded))

    def check_in(self, job: JobView, done: int, total: int | None, note: str) -> None:
        """Keep it."""
        del job
        self.progress.append(Progress(done=done, total=total, note=note))

    def report_step(self, job: JobView, state: StepState) -> None:
        """Keep the newest; stop if enough chunks are committed."""
        del job
        before = self.steps.get(state.position)
        commits = state.counts.commits - (before.counts.commits if before else 0)
        self.steps[state.position] = state
        if state.status == "completed":
            self.done[state.position] = state.result
        if self._chunks_left is not None:
            self._chunks_left -= commits
            if self._chunks_left <= 0:
                self._stop = "stopped"

    def watch(self, job: JobView, snapshot: Callable[[], StepState]) -> None:
        """Nobody looks meanwhile."""
        del job, snapshot

    def http_call(self, job: JobView, record: HttpRecord) -> None:
        """Keep it."""
        del job
        self.http_calls.append(record)

    def keep_file(self, job: JobView, name: str, path: str, size: int) -> None:
        """Keep its entry."""
        del job
        self.kept[name] = Kept(name, self.files_dir / path, size)

    def call(self, job: JobView, kind: str, body: dict[str, Any]) -> Any:
        """Run the children of `map` at once, or tell of them."""
        del job
        if kind == "map":
            return self._map(body)
        if kind == "items":
            return self.items.do(body)
        after, limit = body["after"], body["limit"]
        page = [child for child in self.children if child.id > after][:limit]
        return [msgspec.to_builtins(child) for child in page]

    def _map(self, body: dict[str, Any]) -> int:
        pipeline = registry.find(body["flow"])
        if pipeline is None:
            raise NotFound("flow", body["flow"], "A test knows default flows only.")
        for index, item in enumerate(body["items"], body["start"]):
            if (body["step"], index) in self._known:
                continue
            self._known[body["step"], index] = len(self.children) + 1
            child = run(pipeline, item, http=self.http_transport, files=self.files_dir)
            self.children.append(
                ChildResult(
                    id=len(self.children) + 1,
                    index=index,
                    status=child.status,
                    result=child.result,
                    error=child.message or (child.error.message if child.error else ""),
                    params=item,
                    step=body["step"],
                )
            )
        return len(body["items"])

    def stop_reason(self, job: JobView) -> str:
        """Whether enough chunks are committed."""
        del job
        return self._stop

    def wait(self, job: JobView, seconds: float) -> None:
        """Not in tests."""
        del job, seconds

    def run_coroutine(self, job: JobView, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it on a loop of its own, beside one that runs already."""
        del job
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(coroutine)
        return _in_thread(lambda: asyncio.run(coroutine))

    def enqueue(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None = None
    ) -> list[int]:
        """Keep what the job enqueues."""
        del manifest
        first = len(self.enqueued) + 1
        self.enqueued.extend(items)
        return list(range(first, first + len(items)))


def _in_thread(action: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(action).result()


def _http_transport(http: Http | None) -> Any:
    if http is None:
        return None
    import httpx

    return http if isinstance(http, httpx.BaseTransport) else httpx.MockTransport(http)
