"""Everything that `jobdeck up --demo` shows: the examples, and one job that starts them all.

Each example is a file beside this one, made to be read and copied from.
"""

from examples.census import census
from examples.checksums import checksums
from examples.clock_changes import clock_changes
from examples.inventory import inventory
from examples.licence_archive import licence_archive
from examples.machine_watch import machine_watch
from examples.partner_import import partner_import
from examples.service_check import service_check
from examples.tool_versions import tool_versions
from jobdeck import Context, Pipeline, job

ROUND: tuple[Pipeline, ...] = (
    inventory,
    machine_watch,
    clock_changes,
    partner_import,
    licence_archive,
    tool_versions,
    service_check,
    checksums,
    census,
)


@job(queue="demo", priority=10)
def demo(ctx: Context) -> dict[str, int]:
    """Start one job of each example, and give their numbers. `jobdeck up --demo` creates one."""
    return {pipeline.name: ctx.enqueue(pipeline) for pipeline in ROUND}
