"""`python -m jobdeck.worker.load TARGET --fd N --parent PID`: looks into code, and is thrown away.

It loads the target, writes a `LoadReport` as JSON to descriptor N, and ends.
"""

import os
import sys
from collections.abc import Sequence

import msgspec

from jobdeck.domain.errors import LoadFailed
from jobdeck.domain.manifest import LoadReport
from jobdeck.worker import guard
from jobdeck.worker.target import load_target


def main(arguments: Sequence[str]) -> None:
    """Load and report."""
    target, _, number, _, parent = arguments
    guard.die_with_parent()
    if os.getppid() != int(parent):
        return
    # Out of reach of code that closes or writes to low descriptors.
    os.set_inheritable(int(number), False)
    sys.argv = [target]
    try:
        loaded = load_target(target)
        report = LoadReport(
            pipelines=[pipeline.manifest for pipeline in loaded.pipelines.values()],
            files=loaded.files,
        )
    except LoadFailed as error:
        report = LoadReport(error=str(error), traceback=error.detail)
    with open(int(number), "wb") as out:  # noqa: PTH123  a descriptor
        out.write(msgspec.json.encode(report))
    sys.stdout.flush()
    # Not by returning: a thread of user code must not keep the process alive.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
