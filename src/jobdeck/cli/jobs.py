"""`jobdeck jobs`: find jobs, look at them, and control them."""

import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from jobdeck.cli.bulk import delete, items, kill, move, priority, retry, stop
from jobdeck.cli.connecting import connected
from jobdeck.cli.export import export
from jobdeck.cli.recovery import finish, recover, stuck

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.filters import JobFilter
    from jobdeck.domain.records import Job

LOOK_S = 0.5
"""How often `logs --follow` asks for more."""


@click.group()
def jobs() -> None:
    """Find jobs, look at them, and control them."""


@jobs.command("list")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@click.option("--status", "-s", multiple=True, help="One status or several, such as failed.")
@click.option("--pipeline", help="Of that pipeline.")
@click.option("--flow", help="Of that flow.")
@click.option("--queue", help="In that queue.")
@click.option("--parent", type=int, metavar="ID", help="Children of that job.")
@click.option("--since", metavar="TIME", help="Created since then: 2026-11-20, or 2h ago.")
@click.option("--until", metavar="TIME", help="Created before then.")
@click.option("--sort", default="-id", help="Such as -id, duration, -finished.")
@click.option("--limit", type=click.IntRange(1), default=50, help="At most so many; 50.")
@click.option("--cursor", metavar="TEXT", help="What follows a list: its `next`, from --json.")
@connected
def list_(
    client: "Client",
    out: "Output",
    words: tuple[str, ...],
    sort: str,
    limit: int,
    cursor: str | None,
    **conditions: Any,
) -> None:
    """List jobs, the newest first.

    FILTER is text as the page takes it: status:failed flow:load since:2h, and words that are
    searched for in parameters, messages and errors.
    """
    from jobdeck.cli.job_view import show_list
    from jobdeck.client import shapes
    from jobdeck.domain import clock

    found, next_ = _find(client, _wanted(words, conditions), sort, limit, cursor)
    if out.as_json:
        now = clock.now()
        out.json({"items": [shapes.Job.at(job, now) for job in found], "next": next_})
        return
    show_list(out, found, empty="No jobs match." if words or any(conditions.values()) else NONE)
    if next_:
        out.say(f"... and more; --limit shows more than {limit}.")


NONE = "There are no jobs yet. Create one: jobdeck run FLOW"


def _wanted(words: tuple[str, ...], conditions: dict[str, Any]) -> "JobFilter":
    from msgspec import structs

    from jobdeck.domain import clock, filtertext, filtervalues

    now = clock.now()
    wanted = filtertext.parse(" ".join(words), now)
    values: dict[str, Any] = {
        name: conditions[name]
        for name in ("pipeline", "flow", "queue", "parent")
        if conditions[name] is not None
    }
    if conditions["status"]:
        values["status"] = filtertext.statuses(",".join(conditions["status"]))
    for name, field in (("since", "created_after"), ("until", "created_before")):
        if conditions[name] is not None:
            values[field] = filtervalues.moment(conditions[name], now, name)
    return structs.replace(wanted, **values)


def _find(
    client: "Client", wanted: "JobFilter", sort: str, limit: int, cursor: str | None
) -> tuple[list["Job"], str | None]:
    """So many of them, and the cursor of what follows. One page of a search may be empty though
    others are not."""
    from jobdeck.domain.filters import PAGE_MAX

    keys = [key.strip() for key in sort.split(",")]
    found: list[Job] = []
    while True:
        size = min(limit - len(found), PAGE_MAX)
        page = client.jobs(wanted, sort=keys, limit=size, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None or len(found) >= limit:
            return found, cursor


@jobs.command()
@click.option("--pipeline", default="", help="Of that pipeline.")
@click.option("--flow", default="", help="Of that flow.")
@click.option("--queue", default="", help="In that queue.")
@connected
def count(client: "Client", out: "Output", pipeline: str, flow: str, queue: str) -> None:
    """Count jobs by status, from counters."""
    found = client.count(pipeline=pipeline, flow=flow, queue=queue)
    if out.as_json:
        out.json({status.value: number for status, number in found.items()})
        return
    rows = [(status, f"{number:,}") for status, number in found.items()]
    out.table(("STATUS", "JOBS"), rows, empty="", right="JOBS")


@jobs.command()
@click.argument("job_id", type=int, metavar="ID")
@connected
def show(client: "Client", out: "Output", job_id: int) -> None:
    """Show all about a job."""
    from jobdeck.cli.job_view import show_job

    job = client.get(job_id)
    show_job(out, job, () if out.as_json else client.steps(job_id))


@jobs.command()
@click.argument("job_id", type=int, metavar="ID")
@connected
def why(client: "Client", out: "Output", job_id: int) -> None:
    """Say why a job is not running, or why it ended as it did."""
    from jobdeck.cli.output import clean
    from jobdeck.client import answers

    answer = client.why(job_id)
    if out.as_json:
        out.json(answers.Why.of(answer))
        return
    out.say(clean(answer.sentence))
    if answer.advice:
        out.say(f"What to do: {clean(answer.advice)}")


@jobs.command()
@click.argument("job_id", type=int, metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Wait for more, until the job has ended.")
@click.option(
    "--level",
    type=click.Choice(("debug", "info", "warning", "error", "critical")),
    default=None,
    help="Only lines of at least that level.",
)
@click.option("--attempt", type=int, help="Only those of that attempt.")
@click.option("--search", default="", metavar="TEXT", help="Only lines with that text.")
@connected
def logs(
    client: "Client",
    out: "Output",
    job_id: int,
    follow: bool,
    level: str | None,
    attempt: int | None,
    search: str,
) -> None:
    """Print what a job logged and printed; with --json one object on each line."""
    from jobdeck.cli.job_view import show_line

    after = 0
    while True:
        # Asked before the lines: those that it wrote last come with the next page then.
        ended = client.get(job_id).status.final
        while lines := client.logs(
            job_id, after=after, level=level or "", q=search, attempt=attempt
        ):
            for line in lines:
                show_line(out, line)
            after = lines[-1].id
        if ended or not follow:
            return
        time.sleep(LOOK_S)


for _command in (
    *(stop, kill, retry, delete, move, priority, items, export),
    *(finish, stuck, recover),
):
    jobs.add_command(_command)
