"""`jobdeck cleanup`: delete what is older than it is to be kept."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what is too old.")
@click.option("--detach", is_flag=True, help="Do not wait until it is done.")
@options.reason
@connected
def cleanup(client: "Client", out: "Output", dry_run: bool, detach: bool, reason: str) -> int:
    """Delete what is older than the settings let it be kept.

    It happens by itself every day. See the settings keep_completed, keep_failed, keep_logs,
    keep_payload, keep_files and keep_audit.
    """
    from jobdeck.cli.bulk import follow_work

    job = client.cleanup(dry_run=dry_run, reason=reason)
    code = follow_work(client, out, job, wait=not detach)
    if not detach and not out.as_json:
        result = client.get(job.id).result
        kinds = result["kinds"] if isinstance(result, dict) else {}
        rows = [(kind, f"{told['rows']:,}", _size(told["bytes"])) for kind, told in kinds.items()]
        if rows:
            out.table(("KIND", "ROWS", "SIZE"), rows, empty="", right="ROWS SIZE")
    return code


def _size(number: int) -> str:
    return f"{number / 1_000_000:,.1f} MB" if number else ""
