"""`jobdeck errors`: failures gathered by what they have in common."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import ErrorGroup


@click.group()
def errors() -> None:
    """Failures that are the same error."""


@errors.command("list")
@click.option("--state", type=click.Choice(("open", "resolved", "muted")), help="Only those.")
@click.option("--flow", default="", metavar="NAME", help="Only those that happened in that flow.")
@click.option("-q", "--query", "q", default="", metavar="TEXT", help="Only those with that text.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, help="At most so many; 50.")
@connected
def list_(
    client: "Client", out: "Output", state: str | None, flow: str, q: str, limit: int
) -> None:
    """List errors, what happened last first."""
    from jobdeck.cli.output import first_line, local
    from jobdeck.client import answers

    page = client.errors(state=state or "", flow=flow, q=q, limit=limit)
    if out.as_json:
        out.json(answers.ErrorGroups.of(page))
        return
    rows = [
        (
            *(each.id, each.state, each.failures, each.jobs, local(each.last_at)),
            *(each.type, each.place, first_line(each.example)),
        )
        for each in page.items
    ]
    heads = ("ID", "STATE", "FAILURES", "JOBS", "LAST", "TYPE", "PLACE", "EXAMPLE")
    out.table(heads, rows, empty="No job has failed.", right="ID FAILURES JOBS")
    if page.next:
        out.say("There are more; ask for more with --limit, or narrow the list.")


@errors.command()
@click.argument("error_id", type=int, metavar="ID")
@connected
def show(client: "Client", out: "Output", error_id: int) -> None:
    """Show one error, and the newest jobs that stand failed by it."""
    from jobdeck.cli.output import local
    from jobdeck.client import answers

    found = client.error(error_id)
    if out.as_json:
        out.json(answers.ErrorGroup.of(found))
        return
    out.fields(
        (
            ("error", found.id),
            ("state", found.state),
            ("type", found.type),
            ("place", found.place),
            ("message", found.message),
            ("example", found.example),
            ("failures", f"{found.failures} in all, {sum(found.hours)} in the last 24 hours"),
            ("jobs", f"{found.jobs} stand failed"),
            ("flows", ", ".join(found.flows)),
            ("first", local(found.first_at)),
            ("last", f"{local(found.last_at)}, job {found.last_job}"),
            ("resolved", local(found.resolved_at)),
            ("by", found.resolved_by if found.resolved_at else ""),
            ("muted", local(found.muted_at)),
            ("by", found.muted_by if found.muted_at else ""),
            ("because", found.muted_reason if found.muted_at else ""),
        )
    )
    rows = [
        (job.id, job.flow, local(job.finished_at), job.attempt)
        for job in client.jobs(error_group=error_id, limit=20).items
    ]
    if rows:
        out.say("")
        out.table(("JOB", "FLOW", "FAILED", "ATTEMPT"), rows, empty="", right="JOB ATTEMPT")


def _tell(out: "Output", found: "ErrorGroup", state: str) -> None:
    """What has become of it."""
    from jobdeck.client import answers

    if out.as_json:
        out.json(answers.ErrorGroup.of(found))
    out.say(f"Error {found.id} is {state}.")


@errors.command()
@click.argument("error_id", type=int, metavar="ID")
@options.reason
@connected
def resolve(client: "Client", out: "Output", error_id: int, reason: str) -> None:
    """Mark an error resolved; the next failure of its kind opens it again."""
    _tell(out, client.resolve_error(error_id, reason=reason), "resolved")


@errors.command()
@click.argument("error_id", type=int, metavar="ID")
@options.reason
@connected
def reopen(client: "Client", out: "Output", error_id: int, reason: str) -> None:
    """Open a resolved error again."""
    _tell(out, client.reopen_error(error_id, reason=reason), "open again")


@errors.command()
@click.argument("error_id", type=int, metavar="ID")
@options.reason
@connected
def mute(client: "Client", out: "Output", error_id: int, reason: str) -> None:
    """Let an error call for no attention, however often it happens; it goes on counting."""
    _tell(out, client.mute_error(error_id, reason=reason), "muted")


@errors.command()
@click.argument("error_id", type=int, metavar="ID")
@options.reason
@connected
def unmute(client: "Client", out: "Output", error_id: int, reason: str) -> None:
    """Let a muted error call for attention again."""
    _tell(out, client.unmute_error(error_id, reason=reason), "no longer muted")


@errors.command()
@click.argument("error_id", type=int, metavar="ID")
@click.option("--wait", is_flag=True, help="Wait until the job that does it has ended.")
@options.reason
@connected
def retry(client: "Client", out: "Output", error_id: int, wait: bool, reason: str) -> int:
    """Try every job that stands failed by an error once more, from the step that failed.

    Up to 100 at once; more of them are retried by a job of the queue BULK.
    """
    from jobdeck.cli.bulk import follow_work, tell_items

    found = client.retry_error(error_id, reason=reason)
    if found.job is None:
        return tell_items(out, found)
    return follow_work(client, out, found.job, wait=wait)
