"""When jobs started, noted by one append of eight bytes each; shared by the peers' apps."""

import os
import struct
import time

STARTS = "starts.bin"


class Notes:
    """Appends to a file in the working directory, whatever the number of processes."""

    def __init__(self) -> None:
        self._fd = -1

    def start(self) -> None:
        """A job starts now."""
        if self._fd < 0:
            self._fd = os.open(STARTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(self._fd, struct.pack("=q", time.monotonic_ns()))


def count() -> int:
    """How many have started."""
    return os.path.getsize(STARTS) // 8 if os.path.exists(STARTS) else 0  # noqa: PTH110, PTH202


def read() -> list[int]:
    """When they started, in nanoseconds, in order."""
    with open(STARTS, "rb") as file:  # noqa: PTH123
        return sorted(value for (value,) in struct.iter_unpack("=q", file.read()))


def wait_for(number: int, pause_s: float) -> None:
    """Until so many have started."""
    while count() < number:
        time.sleep(pause_s)


def rate(number: int) -> float:
    """The latest `number` starts a second."""
    starts = read()[-number:]
    return (len(starts) - 1) / ((starts[-1] - starts[0]) / 1e9)
