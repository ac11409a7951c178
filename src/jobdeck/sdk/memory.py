"""What a job in a test tells of itself and asks for, kept in memory."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from jobdeck.domain.errors import NotFound
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Counts, Progress
from jobdeck.sdk import registry
from jobdeck.sdk.children import ChildResult
from jobdeck.sdk.items import MemoryItems
from jobdeck.sdk.pipeline import Pipeline
from jobdeck.sdk.runtime import HttpRecord, JobView, StepState
from jobdeck.sdk.transport import EnqueueItem

Http = Any
"""Answers the calls of `ctx.http`: an `httpx.MockTransport`, or its handler."""


RunChild: TypeAlias = "Callable[[Pipeline, Any, MemoryRuntime], tuple[str, Any, str]]"
"""Runs a child with those parameters to its end: gives its status, result and error."""


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
        run_child: RunChild,
        before: MemoryRuntime | None = None,
        files: Path | None = None,
        http: Http | None = None,
        stop_after_chunks: int | None = None,
        after: MemoryRuntime | None = None,
    ) -> None:
        self.step = ""
        self._run_child = run_child
        known = before or after
        self.items: MemoryItems = MemoryItems(known.items if known else None)
        self.http_transport = _http_transport(http)
        self.steps: dict[int, StepState] = dict(before.steps) if before else {}
        self.done: dict[int, bytes | None] = dict(before.done) if before else {}
        self.children: list[ChildResult] = list(before.children) if before else []
        self.lines: list[Line] = []
        self.progress: list[Progress] = []
        self.http_calls: list[HttpRecord] = []
        self.enqueued: list[EnqueueItem] = []
        self.kept: dict[str, Kept] = dict(before.kept) if before else {}
        self._chunks_left = stop_after_chunks
        self._stop = ""
        self._known: dict[tuple[str, int], int] = before._known if before else {}
        self._folder: Folder = before._folder if before else Folder()
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
            place = {"id": len(self.children) + 1, "index": index, "step": body["step"]}
            status, result, error = self._run_child(pipeline, item, self)
            self.children.append(
                ChildResult(**place, status=status, result=result, error=error, params=item)
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
