"""`jobdeck workers`: the processes that run jobs, and their pools."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected, number_or_all

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client


@click.group()
def workers() -> None:
    """The processes that run jobs."""


@workers.command("list")
@connected
def list_(client: "Client", out: "Output") -> None:
    """List workers with their pools."""
    from jobdeck.cli.output import local
    from jobdeck.client import shapes

    pools, found = client.pools(), client.workers()
    if out.as_json:
        out.json(
            {
                "pools": [shapes.Pool.of(pool) for pool in pools],
                "workers": [shapes.Worker.of(worker) for worker in found],
            }
        )
        return
    rows = [
        (
            *(pool.id, f"{pool.host}, pid {pool.pid}", pool.state),
            *(f"{pool.busy} of {pool.concurrency}", local(pool.started_at)),
            ", ".join(pool.queues) or "all",
        )
        for pool in pools
    ]
    heads = ("POOL", "PROCESS", "STATE", "BUSY", "STARTED", "QUEUES")
    none = "No pool is running. Start one: jobdeck up FILE, or jobdeck worker FILE"
    out.table(heads, rows, empty=none, right="POOL")
    if found:
        out.say("")
        lines = [
            (
                *(each.id, each.pool, each.pid, each.job, each.job_name),
                local(each.job_started_at) if each.job is not None else "idle",
            )
            for each in found
        ]
        out.table(("WORKER", "POOL", "PID", "JOB", "FLOW", "SINCE"), lines, empty="", right="JOB")


@workers.command()
@click.argument("worker_id", metavar="ID|all")
@options.reason
@connected
def free(client: "Client", out: "Output", worker_id: str, reason: str) -> int:
    """Stop the job that a worker runs."""
    freed = client.free(number_or_all(worker_id, "worker"), reason=reason)
    if out.as_json:
        out.json(freed)
    else:
        rows = [(each.worker, each.job, each.error or "asked to stop") for each in freed]
        out.table(("WORKER", "JOB", "OUTCOME"), rows, empty="No worker is busy.")
    return 1 if any(each.error for each in freed) else 0


@workers.command()
@click.argument("pool_id", type=int, metavar="POOL")
@options.reason
@connected
def drain(client: "Client", out: "Output", pool_id: int, reason: str) -> None:
    """Let a pool take no more jobs and finish what it runs."""
    from jobdeck.client import shapes

    pool = client.drain(pool_id, reason=reason)
    if out.as_json:
        out.json(shapes.Pool.of(pool))
    out.say(f"Pool {pool.id} is {pool.state}.")
