"""The kinds of Jobdeck's own work, a file for each: a function that does a job of it."""

from collections.abc import Callable, Mapping
from typing import Any

from jobdeck.domain import builtin
from jobdeck.engine.chore import Chore
from jobdeck.engine.chores import bulk, cleanup, export

CHORES: Mapping[str, Callable[[Chore], Any]] = {
    builtin.BULK.name: bulk.run,
    builtin.EXPORT.name: export.run,
    builtin.CLEANUP.name: cleanup.run,
}
"""By the name of its flow; what it returns is the job's result."""
