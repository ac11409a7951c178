"""How jobs get from `enqueue()` into a store: the protocol, and which one is in use."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.uniqueness import NO_WISH, Wish

NOT_GIVEN: Any = object()
"""Stands for an argument that nobody gave, where None may be meant."""


class EnqueueItem(Struct, frozen=True, kw_only=True):
    """A job to create. `params` is ready for JSON and fits the pipeline's schema if a manifest
    comes with it; `priority` and `context` None: as the flow says. `unique` says which other
    jobs it must not meet."""

    flow: str
    params: dict[str, Any] = {}
    context: str | None = None
    priority: int | None = None
    run_at: Micros | None = None
    unique: Wish = NO_WISH
    parent: int | None = None


class Transport(Protocol):
    """Whatever creates jobs: a store, a server, or the pool that runs the caller."""

    def enqueue(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None = None
    ) -> list[int]:
        """Create all of them or none and give their numbers, in order: `Kept` ones where a job
        with the same unique key was there already and is to be kept.

        `manifest` is the pipeline that the flows belong to where the caller defines it: one
        that is not known yet is registered and published, with its default flow.

        Raises:
            NotFound: no such flow, and no manifest to make it from.
            InvalidValue: parameters do not fit the pipeline's schema.
            Duplicate: another job has the unique key.
            StoreError: the store cannot be used.
        """
        ...


@runtime_checkable
class TransactionalTransport(Protocol):
    """One that can create jobs in a transaction of the caller's own."""

    def enqueue_within(
        self,
        connection: Any,
        items: Sequence[EnqueueItem],
        manifest: PipelineManifest | None = None,
    ) -> list[int]:
        """As `Transport.enqueue`, in the transaction that the connection is in."""
        ...


_lock = threading.Lock()
_current: Transport | None = None
_provider: Callable[[], Transport] | None = None


def provide(provider: Callable[[], Transport]) -> None:
    """Where the transport comes from when nobody has chosen one."""
    global _provider  # noqa: PLW0603  one process, one way out
    _provider = provider


def use(transport: Transport | None) -> None:
    """Send what this process enqueues through `transport`; None: the default again."""
    global _current  # noqa: PLW0603
    _current = transport


@contextmanager
def using(transport: Transport) -> Iterator[None]:
    """The same for the length of a block."""
    before = _current
    use(transport)
    try:
        yield
    finally:
        use(before)


def current() -> Transport:
    """The transport in use; the default one is made when it is first needed.

    Raises:
        WrongState: there is none.
        StoreError: the default store cannot be opened.
    """
    return _current or _default()


def _default() -> Transport:
    with _lock:
        if _current is not None:
            return _current
        if _provider is None:
            raise WrongState(
                "There is no store to enqueue into; set JOBDECK_STORE and import jobdeck."
            )
        made = _provider()
        use(made)
        return made
