"""Jobdeck's own log: readable on a terminal, JSON elsewhere, always on standard error."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobdeck.client.settings import Settings


def import_structlog() -> Any:
    """Import it without rich, which it would take for tracebacks that are printed plainly here:
    that costs every process 50 ms and 5 MB."""
    with without("rich"):
        import structlog
    return structlog


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports within the block take these packages for not installed, unless they are loaded
    already; for what would be loaded only because it is there."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class Forgiving:
    """A stream that may be a file on a disk that is full: what cannot be written is not, and
    nobody ends for that."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write it if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """The same of what is kept back."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(settings: "Settings", process: str = "") -> None:
    """Set the log up for this process, for what uses Python's logging too."""
    structlog = import_structlog()
    level = getattr(logging, settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper("iso", utc=True),
    ]
    if process:
        shared.append(_naming(process))
    if settings.log_json or not sys.stderr.isatty():
        last: list[Any] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        shared[2] = structlog.processors.TimeStamper("%H:%M:%S", utc=False)
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(exception_formatter=plain, pad_event_to=0)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(Forgiving(sys.stderr)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What others log at info is of no use to those who run jobs.
    root.setLevel(max(level, logging.WARNING))


def _naming(process: str) -> Any:
    def name(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault("process", process)
        return event

    return name
