"""`jobdeck jobs export`: jobs as CSV or JSON."""

import contextlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client


@click.command()
@click.option("--filter", "filter_", default="", metavar="TEXT", help="Only jobs that it means.")
@click.option("-o", "--output", metavar="FILE", help="Write to that file; else standard output.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("csv", "jsonl")),
    help="As the end of the file's name says, else csv.",
)
@click.option("--job", is_flag=True, help="Let the server write it: a job of the queue EXPORT.")
@click.option("--detach", is_flag=True, help="Do not wait for that job.")
@options.reason
@connected
def export(
    client: "Client",
    out: "Output",
    filter_: str,
    output: str | None,
    format_: str | None,
    job: bool,
    detach: bool,
    reason: str,
) -> int:
    """Write jobs as CSV, or as JSON with one job on each line, the newest first.

    With --job the file is kept with the job that wrote it: jobdeck jobs show ID.
    """
    chosen = format_ or ("jsonl" if output and output.endswith((".jsonl", ".json")) else "csv")
    if job:
        from jobdeck.cli.bulk import follow_work

        if output:
            raise click.UsageError("--job keeps the file with the job; leave -o out.")
        made = client.export(filter_, format=chosen, reason=reason)
        return follow_work(client, out, made, wait=not detach)
    number = _write(client, filter_, output, chosen)
    if output:
        out.say(f"{number:,} jobs are in {output}.")
        if out.as_json:
            out.json({"file": output, "jobs": number})
    return 0


def _write(client: "Client", text: str, output: str | None, format_: str) -> int:
    """Write page by page; gives the number of jobs. A file appears when it is whole.

    Raises:
        StartFailed: the file cannot be written.
    """
    from jobdeck.domain import clock, export, filtertext
    from jobdeck.domain.errors import StartFailed

    def write(file: IO[str]) -> int:
        number = 0
        file.write(export.head(format_))
        for job in client.all_jobs(wanted):
            file.write(export.line(job, format_, clock.now()))
            number += 1
        return number

    wanted = filtertext.parse(text, clock.now())
    if not output:
        return write(sys.stdout)
    part = Path(f"{output}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            number = write(file)
        part.replace(output)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise StartFailed(f"Cannot write {output}: {error.strerror}.") from None
        raise
    return number
