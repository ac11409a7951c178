"""`jobdeck worker`: a pool alone, with the maintenance that every store needs once."""

from typing import Any

import rich_click as click

from jobdeck.cli.options import coroutines, pool_size, store, worker_jobs, worker_memory
from jobdeck.cli.starting import Plan


@click.command()
@click.argument("target")
@store
@pool_size
@coroutines
@worker_memory
@worker_jobs
@click.option("--queues", metavar="A,B", help="Queues to serve; by default all.")
@click.option("--executor", help="What runs the jobs: local.")
def worker(target: str, **flags: Any) -> int:
    """Run jobs of TARGET, a module or a file that defines pipelines.

    Any number of these may work on one store, beside `jobdeck web`. SIGTERM lets running jobs
    end for some seconds and gives back what remains; SIGUSR1 loads the code again.
    """
    from jobdeck.cli import banner
    from jobdeck.client import settings
    from jobdeck.engine.supervisor import Supervisor

    chosen = settings.read(flags)
    plan = Plan(chosen, target)
    with Supervisor() as supervisor:
        report, answer = plan.prepare(supervisor, "maintenance")
        supervisor.keep(plan.spec("pool"))
        banner.show(
            store=answer.store,
            runs=banner.summary(target, report, plan.workers),
            queues=", ".join(chosen.queues),
        )
        return supervisor.run()
