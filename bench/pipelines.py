"""The jobs that are measured."""

import time

from jobdeck import job


@job
def noop(to: str = "", subject: str = "") -> None:
    """Does nothing, with parameters as a real job has them."""


@job
def stamp() -> int:
    """Tells when it started, in nanoseconds of the clock that all processes share."""
    return time.monotonic_ns()
