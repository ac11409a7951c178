"""`jobdeck jobs stop`, `kill`, `retry`, `delete`, `move`, `priority`: of some jobs, or of all that
a filter means."""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected, each

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.bulk import Bulk
    from jobdeck.domain.records import Job


class Many:
    """What such a command was asked for: which jobs, and how to go about it."""

    def __init__(self, ids: tuple[int, ...], given: dict[str, Any]) -> None:
        self.ids = ids
        self.filter: str | None = given["filter_"]
        self.dry_run: bool = given["dry_run"]
        self.yes: bool = given["yes"]
        self.wait: bool = not given["detach"]
        self.reason: str = given["reason"]
        if (not ids) == (self.filter is None):
            raise click.UsageError("Give the IDs of jobs, or --filter.")

    @property
    def singly(self) -> bool:
        """Whether each is asked for by itself: some named jobs."""
        from jobdeck.domain.bulk import AT_ONCE

        return self.filter is None and not self.dry_run and len(self.ids) <= AT_ONCE


def _many(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command a client, an `Output` and what was asked for as `many`."""
    inner = connected(function)

    @click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
    @click.option(
        "--filter", "filter_", metavar="TEXT", help='All that it means: "status:failed since:2h".'
    )
    @click.option("--dry-run", is_flag=True, help="Only say how many jobs are meant.")
    @click.option("--yes", "-y", is_flag=True, help="Do not ask before doing it to all of them.")
    @click.option("--detach", is_flag=True, help="Do not wait until it is done to all of them.")
    @options.reason
    @functools.wraps(inner)
    def command(*, ids: tuple[int, ...], **given: Any) -> Any:
        names = ("filter_", "dry_run", "yes", "detach", "reason")
        many = Many(ids, {name: given.pop(name) for name in names})
        return inner(many=many, **given)

    return command


def _control(name: str, help_: str) -> click.Command:
    """A command that stops jobs in some way."""

    @_many
    def command(client: "Client", out: "Output", many: Many) -> int:
        if not many.singly:
            return _all(client, out, many, name)
        act = getattr(client, name)

        def said(job: "Job") -> str:
            return "stopped" if job.status.final else "stopping"

        return _each(out, many, lambda number: act(number, reason=many.reason), said)

    return click.command(name, help=help_)(command)


stop = _control("stop", "Stop jobs with their children: running ones may end by themselves.")
kill = _control("kill", "Stop jobs with their children at once.")


@click.command()
@click.option("--from-start", is_flag=True, help="Not from the step that failed.")
@_many
def retry(client: "Client", out: "Output", many: Many, from_start: bool) -> int:
    """Try failed or stopped jobs once more, with the same parameters."""
    place = "start" if from_start else "failed_step"
    if not many.singly:
        return _all(client, out, many, "retry", from_=place)
    return _each(
        out,
        many,
        lambda number: client.retry(number, from_=place, reason=many.reason),
        lambda job: job.status.value,
    )


@click.command()
@_many
def delete(client: "Client", out: "Output", many: Many) -> int:
    """Delete ended jobs with all that was recorded of them."""
    if not many.singly:
        return _all(client, out, many, "delete")
    gone: list[int] = []

    def done(number: int, _: None) -> None:
        gone.append(number)
        out.say(f"Job {number} is deleted.")

    code = each(many.ids, lambda number: client.delete(number, reason=many.reason), done)
    if out.as_json:
        out.json({"deleted": gone})
    return code


@click.command()
@click.option("--to", "queue", required=True, metavar="QUEUE", help="The queue to wait in.")
@_many
def move(client: "Client", out: "Output", many: Many, queue: str) -> int:
    """Let waiting jobs wait in another queue."""
    return _all(client, out, many, "move", queue=queue)


@click.command()
@click.option("--to", "number", required=True, type=int, metavar="N", help="Larger goes first.")
@_many
def priority(client: "Client", out: "Output", many: Many, number: int) -> int:
    """Give waiting jobs another priority."""
    return _all(client, out, many, "priority", priority=number)


@click.command()
@click.argument("job_id", type=int, metavar="ID")
@click.option("--after", type=int, default=0, metavar="ID", help="Only jobs with larger ids.")
@click.option("--outcome", default="", metavar="NAME", help="Only done, skipped or waiting ones.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, help="At most so many; 50.")
@connected
def items(
    client: "Client", out: "Output", job_id: int, after: int, outcome: str, limit: int
) -> None:
    """Show what became of each of the jobs that a job of queue BULK is about."""
    from jobdeck.client import answers

    found = client.bulk_items(job_id, after=after, outcome=outcome, limit=limit)
    if out.as_json:
        out.json([answers.BulkItem.of(item) for item in found])
        return
    rows = [(item.job, item.outcome or "waiting", item.message) for item in found]
    out.table(("JOB", "OUTCOME", "WHY"), rows, empty="There are none.", right="JOB")
    if len(found) == limit:
        out.say(f"... and perhaps more: --after {found[-1].job}")


def _each(
    out: "Output", many: Many, act: Callable[[int], "Job"], said: Callable[["Job"], str]
) -> int:
    """Ask for it of each by itself; returns the exit code."""
    from jobdeck.client import shapes
    from jobdeck.domain import clock

    changed: list[Any] = []

    def done(number: int, job: "Job") -> None:
        changed.append(shapes.Job.at(job, clock.now()))
        out.say(f"Job {number} is {said(job)}.")

    code = each(many.ids, act, done)
    if out.as_json:
        out.json(changed)
    return code


def _all(client: "Client", out: "Output", many: Many, action: str, **more: Any) -> int:
    """Ask for it of all of them together; returns the exit code."""

    def ask(*, dry_run: bool = False) -> "Bulk":
        return client.bulk(
            action,
            many.ids or None,
            filter=many.filter,
            dry_run=dry_run,
            reason=many.reason,
            **more,
        )

    if many.dry_run or (many.filter is not None and not many.yes):
        told = ask(dry_run=True)
        if many.dry_run:
            return _tell(out, told)
        _confirm(told)
    found = ask()
    if found.job is None:
        return tell_items(out, found)
    return follow_work(client, out, found.job, wait=many.wait)


def _number(told: "Bulk") -> str:
    number = f"more than {told.number:,}" if told.more else f"{told.number:,}"
    return f"{number} job{'' if told.number == 1 and not told.more else 's'}"


def _tell(out: "Output", told: "Bulk") -> int:
    from jobdeck.client import answers
    from jobdeck.domain.bulk import PAST

    if out.as_json:
        out.json(answers.Bulk.of(told))
        return 0
    examples = ", ".join(map(str, told.examples))
    such = f", such as {examples}" if examples else ""
    out.say(f"{_number(told)}{such} would be {PAST[told.action]}, where that can be done.")
    return 0


def _confirm(told: "Bulk") -> None:
    from jobdeck.domain.bulk import PAST

    if not sys.stdin.isatty():
        raise click.UsageError(f"{_number(told)} would be {PAST[told.action]}; add --yes.")
    click.confirm(f"{_number(told)} will be {PAST[told.action]}. Go on?", abort=True, err=True)


def tell_items(out: "Output", found: "Bulk") -> int:
    """What became of each job that was changed at once; returns the exit code."""
    from jobdeck.cli.complaint import complain
    from jobdeck.client import answers
    from jobdeck.domain.bulk import PAST

    if out.as_json:
        out.json(answers.Bulk.of(found))
    skipped = 0
    for item in found.items:
        if item.outcome == "done":
            out.say(f"Job {item.job} is {PAST[found.action]}.")
        else:
            skipped += 1
            complain(f"Job {item.job} is skipped: {item.message}.")
    return 1 if skipped else 0


def follow_work(client: "Client", out: "Output", job: "Job", *, wait: bool = True) -> int:
    """Wait for a job of Jobdeck's own with its progress, and say how it ended; returns the exit
    code: 0 only if it completed."""
    from jobdeck.cli.complaint import complain
    from jobdeck.cli.output import clean
    from jobdeck.cli.run import follow
    from jobdeck.client import shapes
    from jobdeck.domain import clock

    if wait:
        out.say(f"Job {job.id} does it; it goes on if you leave: jobdeck jobs show {job.id}")
        try:
            with client.own_work():
                job = follow(client, job, None, quiet=out.as_json)
        except KeyboardInterrupt:
            complain(f"Job {job.id} goes on; stop it with: jobdeck jobs stop {job.id}")
            raise
    if out.as_json:
        out.json(shapes.Job.at(job, clock.now()))
    elif job.message:
        out.say(clean(f"{job.message[0].upper()}{job.message[1:]}."))
    else:
        out.say(f"Job {job.id} is {job.status}.")
    return 0 if job.status in ("completed", "pending", "running") else 1
