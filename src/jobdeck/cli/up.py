"""`jobdeck up`: web server, maintenance and worker pool together, from one command."""

import os
from pathlib import Path
from typing import Any

import rich_click as click

from jobdeck.cli.options import (
    base_path,
    coroutines,
    host,
    pool_size,
    port,
    store,
    worker_jobs,
    worker_memory,
)
from jobdeck.cli.starting import Plan, new_token, say_when_ready

NOTHING = "no pipelines; name a file or module that defines some: jobdeck up FILE"
PAGE_FIRST_S = 0.4
"""The other processes start a moment later, so that they take no time from the first page."""

DEMO: dict[str, Any] = {"first": "demo", "least": 3}
"""The job that starts all examples, and workers enough that a long one holds up no other."""


@click.command()
@click.argument("target", required=False)
@store
@host
@port
@base_path
@pool_size
@coroutines
@worker_memory
@worker_jobs
@click.option("--demo", is_flag=True, help="Load the example pipelines.")
@click.option("--reload", is_flag=True, help="Load the target again whenever its files change.")
def up(target: str | None, demo: bool, reload: bool, **flags: Any) -> int:
    """Start the dashboard and a worker pool for TARGET.

    TARGET is a module or a file that defines pipelines. Without one, only the dashboard and the
    schedules run.
    """
    from jobdeck.client import settings

    if demo and target:
        raise click.UsageError("--demo loads the examples; leave TARGET out, or --demo.")
    if demo:
        target = demo_target()
    if reload and not target:
        raise click.UsageError("--reload needs a TARGET to watch.")
    plan = Plan(settings.read(flags), target or "", **(DEMO if demo else {}))
    return start(plan, reload=reload)


def start(plan: Plan, *, reload: bool = False) -> int:
    """Start everything, and watch over it until told to end; returns the exit code.

    Raises:
        JobdeckError: something is wrong with what was given; nothing has begun.
    """
    from jobdeck.cli import banner
    from jobdeck.engine.supervisor import Supervisor
    from jobdeck.http import listening

    settings, target, token = plan.settings, plan.target, new_token()
    listener = listening.listen(settings)
    with listener, Supervisor() as supervisor:
        report, answer = plan.prepare(
            supervisor, "web", listener=listener.fileno(), start_token=token
        )
        address = listening.address(settings, listener)
        # For jobs, which may want to link to their own page.
        os.environ["JOBDECK_ADDRESS"] = address
        if target:
            supervisor.keep(plan.spec("pool"), after_s=PAGE_FIRST_S)
        if reload:
            supervisor.keep(plan.spec("watch", files=report.files), after_s=PAGE_FIRST_S)
        supervisor.keep(plan.spec("maintenance"), after_s=2 * PAGE_FIRST_S)

        def show() -> None:
            banner.show(
                link=f"{address}/sign-in?token={token}",
                store=answer.store,
                runs=banner.summary(target, report, plan.workers) if target else NOTHING,
                reload=reload,
            )

        say_when_ready(address, show)
        return supervisor.run()


def demo_target() -> str:
    """The file that defines the examples.

    Raises:
        StartFailed: they were not installed.
    """
    import jobdeck
    from jobdeck.domain.errors import StartFailed

    package = Path(jobdeck.__file__).parent
    for folder in (package / "demo" / "examples", package.parents[1] / "examples"):
        if (folder / "demo.py").is_file():
            return str(folder / "demo.py")
    raise StartFailed(
        "The examples are not installed; run `jobdeck new` for a pipeline to start from."
    )
