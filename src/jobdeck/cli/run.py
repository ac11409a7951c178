"""`jobdeck run`: create a job, and perhaps wait for its end."""

import sys
import time
from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.complaint import complain
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Job

LOOK_S = 0.3
"""How often the progress of a job is looked at."""


@click.command()
@click.argument("flow")
@options.pairs
@options.params
@click.option("--context", metavar="NAME", help="The named set of parameters to use.")
@click.option("--priority", type=int, help="Larger goes first; by default the flow's.")
@click.option("--at", metavar="TIME", help="When to run it, such as 2026-11-20T13:30:00Z.")
@click.option("--unique-key", metavar="KEY", help="Not beside an open job with the same key.")
@click.option("--unique-in", default="flow", metavar="flow|queue|all", help="Among which jobs.")
@click.option("--unique-for", metavar="TIME", help="Nor within that time after it was created.")
@click.option(
    "--on-duplicate",
    default="reject",
    metavar="reject|keep",
    help="Refuse it, or answer with the job that is there.",
)
@click.option("--wait", is_flag=True, help="Wait for its end; exit 0 only if it completed.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait no longer than that."
)
@options.reason
@connected
def run(
    client: "Client",
    out: "Output",
    flow: str,
    pairs: tuple[str, ...],
    params: str,
    context: str | None,
    priority: int | None,
    at: str | None,
    unique_key: str | None,
    unique_in: str,
    unique_for: str | None,
    on_duplicate: str,
    wait: bool,
    timeout: float | None,
    reason: str,
) -> int:
    """Create a job of FLOW."""
    from jobdeck.cli.params import gather

    schema = client.pipeline(client.flow(flow).pipeline).manifest.params_schema
    job = client.create(
        flow,
        gather(pairs, params, schema),
        context=context,
        priority=priority,
        run_at=at,
        unique_key=unique_key,
        unique_in=unique_in,
        unique_for=unique_for,
        on_duplicate=on_duplicate,
        reason=reason,
    )
    if job.kept:
        complain(f"Job {job.id} was there already; no other one was created.")
    if not wait:
        _show(out, job)
        return 0
    try:
        if not client.pools():
            complain("No pool is running, so the job waits for one: jobdeck up FILE")
        ended = follow(client, job, timeout, quiet=out.as_json)
    except KeyboardInterrupt:
        complain(f"Job {job.id} goes on; look at it with: jobdeck jobs show {job.id}")
        raise
    _show(out, ended)
    if not ended.status.final:
        complain(f"Job {job.id} has not ended within {timeout:g} s; it goes on.")
    return 0 if ended.status == "completed" else 1


def _show(out: "Output", job: "Job") -> None:
    from jobdeck.cli.job_view import show_job

    if out.as_json or job.status.final:
        show_job(out, job)
    else:
        out.say(f"Job {job.id} of {job.flow} is {job.status}.")


def follow(client: "Client", job: "Job", timeout_s: float | None, *, quiet: bool) -> "Job":
    """Wait for the end of the job with a progress bar, where there is a terminal to show it on;
    gives the job as it is then."""
    if quiet or not sys.stderr.isatty():
        return client.wait(job.id, timeout_s)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True, markup=False)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(_describe(job), total=None)
        while not job.status.final and (deadline is None or time.monotonic() < deadline):
            left = LOOK_S if deadline is None else max(deadline - time.monotonic(), 0)
            job = client.wait(job.id, min(left, LOOK_S))
            progress = job.progress
            bar.update(
                task,
                description=_describe(job),
                total=progress.total if progress else None,
                completed=progress.done if progress else 0,
            )
    return job


def _describe(job: "Job") -> str:
    from jobdeck.cli.output import clean, first_line

    note = job.progress.note if job.progress and job.progress.note else ""
    text = f"Job {job.id} {job.status}" + (f": {first_line(note)}" if note else "")
    return clean(text).replace("[", "\\[")
