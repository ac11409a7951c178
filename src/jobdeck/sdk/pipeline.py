"""Defining pipelines: `Pipeline` with its steps, and `@job`, a pipeline of one step."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, overload

from jobdeck.domain import clock, uniqueness
from jobdeck.domain.builtin import check_queue
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.limits import PRIORITY_MAX
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.sizes import parse_size
from jobdeck.sdk import registry, settings
from jobdeck.sdk.settings import JobSettings, PipelineSettings, RetryRules, StepSettings
from jobdeck.sdk.transport import NOT_GIVEN

if TYPE_CHECKING:
    from jobdeck.domain.manifest import PipelineManifest
    from jobdeck.sdk.enqueue import EnqueueOptions, Enqueuer
    from jobdeck.sdk.plan import Plan

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Step:
    """A step as it was defined; None means: as the pipeline says."""

    def __init__(
        self, function: Callable[..., Any], given: StepSettings, scope: dict[str, Any] | None
    ) -> None:
        default = getattr(function, "__name__", None)
        self.function = function
        self.name = settings.check_name(given.get("name", default), "step")
        self.retry = settings.retry_policy(given)
        self.timeout_s = clock.parse_duration(given.get("timeout"), "timeout")
        self.rules = settings.retry_rules(given)
        self.scope = scope
        self.doc = inspect.getdoc(function) or ""
        _refuse_generator(function, self.name)


class Pipeline:
    """A named sequence of steps; each gets the result of the one before it.

    Raises:
        InvalidValue: a setting will not do.
        Duplicate: another pipeline has this name.
    """

    def __init__(self, name: str, **given: Unpack[PipelineSettings]) -> None:
        settings.refuse_unknown(given, PipelineSettings, f"Pipeline {name!r}")
        self.name = settings.check_name(name, "pipeline")
        self.file, self.line = _caller()
        self._define(given)
        registry.add(self)

    def _define(self, given: Mapping[str, Any]) -> None:
        name = settings.check_name(given.get("queue", "default"), "queue")
        self.queue = check_queue(name, "queue name")
        self.priority: int = given.get("priority", 0)
        if not settings.is_whole(self.priority, -PRIORITY_MAX, PRIORITY_MAX):
            raise InvalidValue(
                "priority", f"{self.priority!r} is not a whole number within ±{PRIORITY_MAX:,}"
            )
        self.model: type[Any] | None = given.get("params")
        self.retry = settings.retry_policy(given) or RetryPolicy()
        self.rules = settings.retry_rules(given) or RetryRules()
        self.timeout_s = clock.parse_duration(given.get("timeout"), "timeout")
        self.memory = parse_size(given["memory"], "memory") if given.get("memory") else None
        self.search = settings.check_search(given.get("search", ()))
        self.schedules = settings.schedules(given)
        self.unique = uniqueness.check_rule(given["unique"], "unique") if "unique" in given else ""
        self.hints = settings.check_hints(given.get("hints", {}))
        self.doc: str = given.get("doc", "")
        self.steps: list[Step] = []
        self._plan: Plan | None = None
        self._manifest: PipelineManifest | None = None

    @overload
    def step(self, function: F, /) -> F: ...
    @overload
    def step(self, /, **given: Unpack[StepSettings]) -> Callable[[F], F]: ...
    def step(self, function: F | None = None, /, **given: Unpack[StepSettings]) -> Any:
        """Add a step, with or without settings; the function itself stays as it is.

        Raises:
            InvalidValue: a setting will not do, or another step has this name.
        """
        if function is None:
            settings.refuse_unknown(given, StepSettings, "A step")
            scope = sys._getframe(1).f_locals
            return functools.partial(self._add, given=given, scope=scope)
        return self._add(function, given, sys._getframe(1).f_locals)

    def _add(self, function: F, given: StepSettings, scope: dict[str, Any]) -> F:
        local = "<locals>" in getattr(function, "__qualname__", "")
        step = Step(function, given, scope if local else None)
        if any(other.name == step.name for other in self.steps):
            raise InvalidValue("step name", f"{self.name!r} already has a step {step.name!r}")
        self.steps.append(step)
        self._plan = self._manifest = None
        return function

    @property
    def plan(self) -> Plan:
        """How its jobs are executed.

        Raises:
            InvalidValue: the steps do not fit together.
        """
        if self._plan is None:
            from jobdeck.sdk.plan import make_plan

            self._plan = make_plan(self)
        return self._plan

    @property
    def manifest(self) -> PipelineManifest:
        """What others are told of it.

        Raises:
            InvalidValue: the steps do not fit together.
        """
        if self._manifest is None:
            from jobdeck.sdk.manifests import make_manifest

            self._manifest = make_manifest(self)
        return self._manifest

    def options(self, **given: Unpack[EnqueueOptions]) -> Enqueuer:
        """The same `enqueue` and `enqueue_many`, with a priority, a time, a context, ...

        Raises:
            InvalidValue: an option will not do.
        """
        from jobdeck.sdk.enqueue import Enqueuer

        return Enqueuer(self, **given)

    def enqueue(
        self, params: object = None, /, *, connection: Any = NOT_GIVEN, **fields: Any
    ) -> int:
        """Create a job and give its number (a `Kept` one if another job stands for it):
        parameters by name, or as a model or dict.

        With a `connection` of SQLAlchemy, psycopg or sqlite3 to the store's database, the job
        is created in the transaction that it is in, and is gone if that is rolled back. Where a
        parameter has that name, give the connection to `options`.

        Raises:
            InvalidValue: they do not fit; names the field.
            Duplicate: another job has its unique key, or the same parameters.
            StoreError: the store cannot be used.
        """
        return self._plain.enqueue(params, connection=connection, **fields)

    def enqueue_many(self, items: Iterable[object], *, connection: Any = None) -> list[int]:
        """Create a job for each model or dict, all or none, and give their numbers in order;
        with a `connection` in the transaction that it is in, as by `enqueue`.

        Raises:
            InvalidValue: one does not fit; names it and the field.
            Duplicate: another job has the unique key of one, or the same parameters.
            StoreError: the store cannot be used.
        """
        return self._plain.enqueue_many(items, connection=connection)

    @functools.cached_property
    def _plain(self) -> Enqueuer:
        return self.options()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} in {self.file}>"


class Job(Pipeline, Generic[P, R]):
    """A pipeline of one step. Called, it is the plain function, without any job."""

    __name__: str

    def __init__(self, function: Callable[P, R], given: JobSettings, scope: dict[str, Any]) -> None:
        default = getattr(function, "__name__", None)
        self.name = settings.check_name(given.get("name", default), "job")
        self.file, self.line = _place(function)
        self._define({"doc": inspect.getdoc(function) or "", **given})
        self._add(function, {"name": self.name}, scope)
        self._function = function
        functools.update_wrapper(self, function)
        registry.add(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self._function(*args, **kwargs)


@overload
def job(function: Callable[P, R], /) -> Job[P, R]: ...
@overload
def job(**given: Unpack[JobSettings]) -> Callable[[Callable[P, R]], Job[P, R]]: ...
def job(function: Callable[..., Any] | None = None, /, **given: Unpack[JobSettings]) -> Any:
    """Make a function a job: a pipeline of one step, named after it.

    Raises:
        InvalidValue: a setting will not do.
        Duplicate: another pipeline has this name.
    """
    scope = sys._getframe(1).f_locals
    settings.refuse_unknown(given, JobSettings, "@job")
    if function is None:
        return lambda function: Job(function, given, scope)
    return Job(function, given, scope)


def _caller() -> tuple[str, int]:
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _place(function: Callable[..., Any]) -> tuple[str, int]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else _caller()


def _refuse_generator(function: Callable[..., Any], name: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidValue(
            name, "yields; return a list, or go through large data by ctx.chunks and ctx.files"
        )
