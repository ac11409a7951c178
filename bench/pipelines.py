"""The jobs that are measured."""

import time

from jobdeck import Context, job


@job
def noop(to: str = "", subject: str = "") -> None:
    """Does nothing, with parameters as a real job has them."""


@job
def stamp() -> int:
    """Tells when it started, in nanoseconds of the clock that all processes share."""
    return time.monotonic_ns()


@job
def sleep_1() -> None:
    """Takes a millisecond."""
    time.sleep(0.001)


@job
def sleep_10() -> None:
    """Takes ten milliseconds."""
    time.sleep(0.01)


@job
def sleep_100() -> None:
    """Takes a tenth of a second."""
    time.sleep(0.1)


def _of_queue(number: int) -> None:
    @job(name=f"queue_{number}", queue=f"queue-{number}", priority=number)
    def each() -> None:
        """Does nothing, in a queue of its own."""


for _number in range(10):
    _of_queue(_number)


@job
def steady(ctx: Context, to: str = "") -> None:
    """Logs a line and works for a millisecond."""
    ctx.log.info("sending", to=to)
    until = time.perf_counter() + 0.001
    while time.perf_counter() < until:
        pass
