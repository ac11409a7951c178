"""`jobdeck logs`: searching the lines of all jobs."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client

_PAGE = 500


@click.command()
@click.argument("words", nargs=-1, metavar="[TEXT]...")
@click.option("--level", help="The least level: debug, info, warning, error or critical.")
@click.option("--pipeline", default="", help="Of jobs of that pipeline.")
@click.option("--flow", default="", help="Of jobs of that flow.")
@click.option("--job", type=int, metavar="ID", help="Of that job.")
@click.option("--since", metavar="TIME", help="Since then: 2026-11-20, or 2h ago.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--limit", type=click.IntRange(1), default=100, help="At most so many; 100.")
@connected
def logs(
    client: "Client",
    out: "Output",
    words: tuple[str, ...],
    level: str | None,
    pipeline: str,
    flow: str,
    job: int | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """Search what all jobs logged and printed, the newest line first.

    With --json one object on each line. `jobdeck jobs logs ID` prints the log of one job.
    """
    from jobdeck.cli.job_view import show_found_line
    from jobdeck.domain import clock, filtervalues
    from jobdeck.domain.filters import LogFilter

    now = clock.now()
    wanted = LogFilter(
        q=" ".join(words),
        level=level or "",
        pipeline=pipeline,
        flow=flow,
        job=job,
        after=filtervalues.moment(since, now, "since") if since else None,
        before=filtervalues.moment(until, now, "until") if until else None,
    )
    cursor, shown = None, 0
    while True:
        page = client.search_logs(wanted, limit=min(limit - shown, _PAGE), cursor=cursor)
        for line in page.items:
            show_found_line(out, line)
        shown, cursor = shown + len(page.items), page.next
        if cursor is None or shown >= limit:
            break
    if not shown:
        out.say("No line matches.")
