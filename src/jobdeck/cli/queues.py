"""`jobdeck queues`: where jobs wait."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Flow, Queue


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
        numbers = (f"{count:,}" for count in counts)
        rows.append((queue.name, *numbers, waits, limits_of(queue), paused))
    heads = ("QUEUE", "PENDING", "RUNNING", "SCHEDULED", "RETRYING", "WAITS", "LIMITS", "STATE")
    right = "PENDING RUNNING SCHEDULED RETRYING WAITS"
    out.table(heads, rows, empty="There are no queues yet.", right=right)


def _change(name: str, act: Callable[["Client", str, str], list["Queue"]], help_: str) -> None:
    @queues.command(name, help=help_)
    @click.argument("queue", metavar="NAME")
    @options.reason
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
@options.running
@options.rate
@click.option("--none", "unlimited", is_flag=True, help="Take both limits away.")
@options.reason
@connected
def limit(
    client: "Client",
    out: "Output",
    queue: str,
    running: int | str | None,
    rate: str | None,
    unlimited: bool,
    reason: str,
) -> None:
    """Limit how many jobs of a queue run at once, and the rate at which they start.

    A rate is a number of jobs and a time: 10/s, 100/m, 5/30s. What runs already goes on.
    """
    from jobdeck.client import shapes

    given = {"max_running": running, "rate": rate}
    if unlimited and any(value is not None for value in given.values()):
        raise click.UsageError("--none takes both limits away; give it alone.")
    if unlimited:
        given = dict.fromkeys(given, options.NONE)
    changes = {name: options.or_none(value) for name, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("There is nothing to change; give --running, --rate or --none.")
    limited = client.limit_queue(queue, reason=reason, **changes)
    if out.as_json:
        out.json(shapes.Queue.of(limited))
        return
    out.say(f"Queue {queue}: {limits_of(limited) or 'no limits'}.")


def limits_of(limited: "Queue | Flow") -> str:
    """Its limits in words; nothing if there are none."""
    parts = [
        f"{limited.max_running} at once" if limited.max_running is not None else "",
        limited.rate or "",
    ]
    return ", ".join(part for part in parts if part)


@queues.command()
@click.argument("queue", metavar="NAME")
@options.reason
@connected
def stop(client: "Client", out: "Output", queue: str, reason: str) -> None:
    """Stop every job that is pending in a queue; what runs goes on."""
    stopped = client.stop_queue(queue, reason=reason)
    if out.as_json:
        out.json({"queues": stopped})
        return
    rows = [(name, f"{number:,}") for name, number in stopped.items()]
    out.table(("QUEUE", "STOPPED"), rows, empty="There are no queues.", right="STOPPED")
