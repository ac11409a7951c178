"""What a job sees of the machinery that runs it: a worker over its socket, or a test."""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Counts, JobError


class DoneView(Protocol):
    """A step that an earlier attempt completed, with its result in JSON."""

    @property
    def position(self) -> int: ...  # noqa: D102
    @property
    def result(self) -> bytes | None: ...  # noqa: D102


class JobView(Protocol):
    """The job to run, as its pool tells of it."""

    @property
    def job(self) -> int: ...  # noqa: D102
    @property
    def claim(self) -> int: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def pipeline(self) -> str: ...  # noqa: D102
    @property
    def flow(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> bytes: ...  # noqa: D102
    @property
    def context(self) -> str: ...  # noqa: D102
    @property
    def parent(self) -> int | None: ...  # noqa: D102
    @property
    def done(self) -> Sequence[DoneView]: ...  # noqa: D102
    @property
    def checkpoint(self) -> bytes | None: ...  # noqa: D102
    @property
    def counts(self) -> Counts | None: ...  # noqa: D102


class StepState(Struct, frozen=True, kw_only=True):
    """Where a step stands: running, completed, failed or stopped."""

    position: int
    name: str
    status: str
    started_at: Micros
    finished_at: Micros | None = None
    counts: Counts = Counts()
    result: bytes | None = None
    checkpoint: bytes | None = None
    error: JobError | None = None


class HttpRecord(Struct, frozen=True, kw_only=True):
    """A call that a job made through `ctx.http`, bounded and redacted."""

    at: Micros
    method: str
    url: str
    status: int | None
    duration_s: float
    request: str = ""
    response: str = ""
    error: str = ""


class Runtime(Protocol):
    """The way out of a running job. Each method takes the job, so that what outlives a job,
    such as a thread, cannot speak for the next one."""

    http_transport: Any
    """For `ctx.http`: an httpx transport, or None for the network."""
    step: str
    """The name of the step that runs, for lines that are printed."""

    @property
    def files_dir(self) -> Path:
        """The store's folder of files."""
        ...

    def log(self, job: JobView, level: str, message: str, fields: bytes | None) -> None:
        """Keep one line; `fields` is a JSON object."""
        ...

    def check_in(self, job: JobView, done: int, total: int | None, note: str) -> None:
        """Tell how far the job is: cheap, only the newest one goes out now and then."""
        ...

    def report_step(self, job: JobView, state: StepState) -> None:
        """Tell where a step stands; on its way when this returns."""
        ...

    def watch(self, job: JobView, snapshot: Callable[[], StepState]) -> None:
        """The counts of the running step changed: ask for them before long."""
        ...

    def http_call(self, job: JobView, record: HttpRecord) -> None:
        """Keep the record of an HTTP call."""
        ...

    def keep_file(self, job: JobView, name: str, path: str, size: int) -> None:
        """Enter a file; `path` is relative to `files_dir`."""
        ...

    def call(self, job: JobView, kind: str, body: dict[str, Any]) -> Any:
        """Ask the pool: `map`, `children`, `enqueue` or `items`; see the worker's protocol.

        Raises:
            JobdeckError: it refused; says why.
            StopRequested: the job was asked to stop meanwhile.
        """
        ...

    def stop_reason(self, job: JobView) -> str:
        """Why the job was asked to stop; empty: it was not."""
        ...

    def wait(self, job: JobView, seconds: float) -> None:
        """Sleep so long, or until a stop is asked for."""
        ...

    def run_coroutine(self, job: JobView, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it to its end; it is cancelled when a stop is asked for."""
        ...
