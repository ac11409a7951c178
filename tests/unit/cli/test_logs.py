"""Jobdeck's own log."""

from __future__ import annotations

import io

from jobdeck.cli.logs import Forgiving


class Full(io.StringIO):
    """A file on a disk that is full."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_ends_nobody() -> None:
    full = Full()
    print("the store is full", file=Forgiving(full), flush=True)
    assert full.getvalue() == "the store is full\n"
