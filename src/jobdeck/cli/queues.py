"""`jobdeck queues`: where jobs wait."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Queue


@click.group()
def queues() -> None:
    """Where jobs wait. NAME may be `all`: every queue but those of Jobdeck's own work."""


@queues.command("list")
@connected
def list_(client: "Client", out: "Output") -> None:
    """List queues with what is in them."""
    show_queues(out, client.queues())


def show_queues(out: "Output", found: list["Queue"]) -> None:
    """One line for each queue."""
    from jobdeck.cli.output import first_line, seconds
    from jobdeck.client import shapes

    if out.as_json:
        out.json([shapes.Queue.of(queue) for queue in found])
        return
    rows = []
    for queue in found:
        paused = f"paused by {queue.paused_by}" if queue.paused_at is not None else ""
        if paused and queue.paused_reason:
            paused += f": {first_line(queue.paused_reason)}"
        counts = (queue.pending, queue.running, queue.scheduled, queue.retrying)
        waits = seconds(queue.latency_s) if queue.pending else ""
        rows.append((queue.name, *(f"{count:,}" for count in counts), waits, paused))
    heads = ("QUEUE", "PENDING", "RUNNING", "SCHEDULED", "RETRYING", "WAITS", "STATE")
    right = "PENDING RUNNING SCHEDULED RETRYING WAITS"
    out.table(heads, rows, empty="There are no queues yet.", right=right)


def _change(name: str, act: Callable[["Client", str, str], list["Queue"]], help_: str) -> None:
    @queues.command(name, help=help_)
    @click.argument("queue", metavar="NAME")
    @click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
    @connected
    def command(client: "Client", out: "Output", queue: str, reason: str) -> None:
        show_queues(out, act(client, queue, reason))


_change(
    "pause",
    lambda client, queue, reason: client.pause_queue(queue, reason=reason),
    "Hand out no more jobs of a queue; no status changes, what runs goes on.",
)
_change(
    "resume",
    lambda client, queue, reason: client.resume_queue(queue, reason=reason),
    "Hand out jobs of a queue again.",
)


@queues.command()
@click.argument("queue", metavar="NAME")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
@connected
def stop(client: "Client", out: "Output", queue: str, reason: str) -> None:
    """Stop every job that is pending in a queue; what runs goes on."""
    stopped = client.stop_queue(queue, reason=reason)
    if out.as_json:
        out.json({"queues": stopped})
        return
    rows = [(name, f"{number:,}") for name, number in stopped.items()]
    out.table(("QUEUE", "STOPPED"), rows, empty="There are no queues.", right="STOPPED")
