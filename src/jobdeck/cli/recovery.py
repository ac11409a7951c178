"""`jobdeck jobs stuck`, `recover` and `finish`: jobs that do not get on by themselves."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.liveness import Verdict

_stale = click.option(
    "--after",
    default="2h",
    metavar="TIME",
    help="Without a sign of life for so long a running job counts as stuck; 2h.",
)


@click.command()
@_stale
@click.option("--limit", type=click.IntRange(1, 500), default=50, help="At most so many; 50.")
@connected
def stuck(client: "Client", out: "Output", after: str, limit: int) -> None:
    """List jobs that do not get on, with the reason why."""
    from jobdeck.client import answers

    found = client.stuck(stale_s=_seconds(after), limit=limit)
    if out.as_json:
        out.json([answers.Verdict.of(each) for each in found])
        return
    _show(out, found, empty="No job is stuck.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_stale
@options.reason
@connected
def recover(client: "Client", out: "Output", dry_run: bool, after: str, reason: str) -> None:
    """Get stuck jobs on without touching any that lives.

    Jobs whose pool is gone go back to their queue, parents whose children have ended go on, and
    jobs whose time has passed become pending. What is skipped is said, too.
    """
    from jobdeck.client import answers

    found = client.recover(dry_run=dry_run, stale_s=_seconds(after), reason=reason)
    if out.as_json:
        out.json(answers.Recovery.of(found))
        return
    _show(out, found.jobs, empty="No job needs help.")
    if found.more:
        out.say("... and more; ask again.")


@click.command()
@click.argument("job_id", type=int, metavar="ID")
@click.option(
    "--as",
    "as_",
    type=click.Choice(("failed", "stopped")),
    default="failed",
    help="What becomes of it; failed.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the audit.")
@connected
def finish(client: "Client", out: "Output", job_id: int, as_: str, reason: str) -> None:
    """End a running job by force.

    Its status changes at once, whatever its worker says afterwards: that is killed and replaced,
    and so are its children's.
    """
    from jobdeck.client import shapes
    from jobdeck.domain import clock

    job = client.finish(job_id, as_=as_, reason=reason)
    if out.as_json:
        out.json(shapes.Job.at(job, clock.now()))
    out.say(f"Job {job_id} is {job.status}.")


def _seconds(text: str) -> float:
    from jobdeck.domain import clock

    return clock.parse_duration(text, "after") or 0.0


_DOES = {"give_back": "back to its queue", "wake": "goes on", "promote": "made pending"}


def _show(out: "Output", found: "list[Verdict]", *, empty: str) -> None:
    rows = [
        (
            *(each.job, each.status, each.flow, each.kind.replace("_", " ")),
            *(_DOES.get(each.remedy, "skipped"), each.outcome, each.why),
        )
        for each in found
    ]
    heads = ("ID", "STATUS", "FLOW", "KIND", "RECOVERING", "OUTCOME", "WHY")
    out.table(heads, rows, empty=empty, right="ID")
