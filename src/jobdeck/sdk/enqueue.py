"""Creating jobs of a pipeline: checking what is given, then handing it to the transport."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec

from jobdeck.domain import clock, uniqueness
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, WrongState
from jobdeck.domain.uniqueness import OnDuplicate, Wish, Within
from jobdeck.sdk import jsonable, settings, transport
from jobdeck.sdk.transport import NOT_GIVEN, EnqueueItem

if TYPE_CHECKING:
    from jobdeck.sdk.pipeline import Pipeline


class EnqueueOptions(TypedDict, total=False):
    """`flow` is another flow of the pipeline than its default one. `run_at` is a datetime or
    ISO text, `delay` a duration from now.

    A second job of the same `unique_key` (a text, or a function that makes it of the parameters)
    is not created while the first is open, nor within `unique_for` after its creation if that is
    given; `unique_in` says among which jobs: those of the "flow", of its "queue", or "all". It is
    refused, or with `on_duplicate="keep"` the first one stands for it.

    With a `connection` to the store's database jobs are created in the transaction that it is
    in; see `Pipeline.enqueue`."""

    flow: str
    priority: int
    context: str
    run_at: datetime | str
    delay: float | str | timedelta
    unique_key: str | Callable[[dict[str, Any]], str]
    unique_in: str
    unique_for: float | str | timedelta
    on_duplicate: str
    connection: Any


class Enqueuer:
    """Creates jobs of one pipeline with the same options.

    Raises:
        InvalidValue: an option will not do.
    """

    def __init__(self, pipeline: Pipeline, **given: Unpack[EnqueueOptions]) -> None:
        settings.refuse_unknown(given, EnqueueOptions, "options()")
        self._pipeline = pipeline
        self._flow = given.get("flow", pipeline.name)
        self._priority = given.get("priority")
        self._context = given.get("context")
        self._unique_key = given.get("unique_key")
        self._wish = _wish(given)
        self._connection = given.get("connection")
        self._run_at, self._delay_s = _when(given)

    def enqueue(
        self, params: object = None, /, *, connection: Any = NOT_GIVEN, **fields: Any
    ) -> int:
        """As `Pipeline.enqueue`."""
        if connection is not NOT_GIVEN and self._takes_connection():
            fields["connection"], connection = connection, NOT_GIVEN
        checked = plain_params(self._pipeline, params, fields)
        return self._send([self._item(checked, self._time())], connection)[0]

    def _takes_connection(self) -> bool:
        """Whether that is the name of one of the pipeline's parameters."""
        return "connection" in self._pipeline.plan.params.schema.get("properties", {})

    def enqueue_many(self, items: Iterable[object], *, connection: Any = NOT_GIVEN) -> list[int]:
        """As `Pipeline.enqueue_many`."""
        run_at = self._time()
        check = self._pipeline.plan.params.check
        made: list[EnqueueItem] = []
        for item in items:
            try:
                params = _plain(item, {})
                check(params)
            except InvalidValue as error:
                raise InvalidValue(f"items[{len(made)}]", str(error)) from None
            made.append(self._item(params, run_at))
        return self._send(made, connection) if made else []

    def _send(self, items: list[EnqueueItem], connection: Any = NOT_GIVEN) -> list[int]:
        given = self._connection if connection is NOT_GIVEN else connection
        way = transport.current()
        if given is None:
            return way.enqueue(items, self._pipeline.manifest)
        if not isinstance(way, transport.TransactionalTransport):
            raise WrongState(
                "A connection of your own goes with a store in the same database, named by "
                "JOBDECK_STORE. Through a server or inside a job leave it out: the job is then "
                "created at once, whatever becomes of your transaction."
            )
        return way.enqueue_within(given, items, self._pipeline.manifest)

    def _item(self, params: dict[str, Any], run_at: Micros | None) -> EnqueueItem:
        return EnqueueItem(
            flow=self._flow,
            params=params,
            context=self._context,
            priority=self._priority,
            run_at=run_at,
            unique=self._wish_of(params),
        )

    def _wish_of(self, params: dict[str, Any]) -> Wish:
        key = self._unique_key
        if key is None or isinstance(key, str):
            return self._wish
        wish = msgspec.structs.replace(self._wish, key=key(params))
        uniqueness.check(wish)
        return wish

    def _time(self) -> Micros | None:
        if self._delay_s is None:
            return self._run_at
        return clock.now() + round(self._delay_s * clock.SECOND)


def enqueue_to(target: Pipeline | str, params: object, fields: dict[str, Any]) -> int:
    """Create a job of a pipeline, or of a flow that is known by name only.

    Raises:
        InvalidValue: the parameters do not fit; names the field.
        NotFound: there is no such flow.
    """
    if not isinstance(target, str):
        return target.enqueue(params, **fields)
    item = EnqueueItem(flow=target, params=_plain(params, fields))
    return transport.current().enqueue([item])[0]


def plain_params(pipeline: Pipeline, params: object, fields: dict[str, Any]) -> dict[str, Any]:
    """What is given for a job, made of plain JSON types, if it fits the pipeline.

    Raises:
        InvalidValue: names the field that does not fit.
    """
    given = _plain(params, fields)
    pipeline.plan.params.check(given)
    return given


def _plain(params: object, fields: dict[str, Any]) -> dict[str, Any]:
    if params is not None and fields:
        raise InvalidValue("params", "give them as one object or by name, not both")
    try:
        given = jsonable.builtins(fields if params is None else params)
    except Exception as error:  # whatever a user's object raises
        raise InvalidValue("params", f"cannot be written as JSON: {error}") from None
    if not isinstance(given, dict):
        raise InvalidValue(
            "params", f"{jsonable.type_name(params)} given; give a dict or model of names"
        )
    return given


def _wish(given: EnqueueOptions) -> Wish:
    """What the options say of unique keys; the key stands for any where it is a function."""
    key, for_s = given.get("unique_key"), given.get("unique_for")
    if isinstance(for_s, timedelta):
        for_s = for_s.total_seconds()
    wish = Wish(
        key="any" if callable(key) else key,
        within=given.get("unique_in", Within.FLOW),
        for_s=clock.parse_duration(for_s, "unique_for"),
        on_duplicate=given.get("on_duplicate", OnDuplicate.REJECT),
    )
    uniqueness.check(wish)
    return wish


def _when(given: EnqueueOptions) -> tuple[Micros | None, float | None]:
    run_at, delay = given.get("run_at"), given.get("delay")
    if run_at is not None and delay is not None:
        raise InvalidValue("delay", "give run_at or delay, not both")
    if isinstance(delay, timedelta):
        delay = delay.total_seconds()
    if delay is not None:
        return None, 0.0 if delay == 0 else clock.parse_duration(delay, "delay")
    if isinstance(run_at, str):
        return clock.from_iso(run_at, "run_at"), None
    if isinstance(run_at, datetime):
        return clock.from_datetime(run_at), None
    return None, None
