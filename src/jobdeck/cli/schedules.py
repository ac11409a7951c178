"""`jobdeck schedules`: what creates jobs at times."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli.connecting import connected, number_or_all

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Schedule


@click.group()
def schedules() -> None:
    """What creates jobs of a flow at times."""


@schedules.command("list")
@click.option("--flow", default="", help="Of that flow.")
@connected
def list_(client: "Client", out: "Output", flow: str) -> None:
    """List schedules."""
    show_schedules(out, client.schedules(flow))


def show_schedules(out: "Output", found: list["Schedule"]) -> None:
    """One line for each schedule."""
    from jobdeck.cli.output import local
    from jobdeck.client import shapes

    if out.as_json:
        out.json([shapes.Schedule.of(schedule) for schedule in found])
        return
    rows = []
    for each in found:
        last = f"{local(each.last_at)} {each.last_status or ''}".strip()
        state = f"paused by {each.paused_by}" if each.paused_at is not None else ""
        rows.append((each.id, each.flow, times_of(each), local(each.next_at), last, state))
    heads = ("ID", "FLOW", "WHEN", "NEXT", "LAST", "STATE")
    out.table(heads, rows, empty="There are no schedules yet.", right="ID")


def times_of(schedule: "Schedule") -> str:
    """When it fires, in words."""
    from jobdeck.domain import clock, cron

    if schedule.interval_s is not None:
        text = clock.format_duration(schedule.interval_s)
        return f"every {text.removesuffix(' 00 s').removesuffix(' 00 min')}"
    zone = "" if schedule.timezone == "UTC" else f" ({schedule.timezone})"
    return f"{schedule.cron}{zone}: {cron.describe(schedule.cron)}"


@schedules.command()
@click.argument("flow")
@click.option("--cron", default="", metavar="LINE", help="Five fields, such as '*/5 * * * *'.")
@click.option("--every", metavar="TIME", help="An interval instead, such as 10m.")
@click.option("--timezone", default="UTC", metavar="NAME", help="Of the cron line; UTC.")
@click.option("-p", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter.")
@click.option("--params", default="", metavar="FILE", help="A file of JSON; - is stdin.")
@click.option("--vendor-type", default="", help="The kind of its owner.")
@click.option("--vendor-id", default="", help="The owner.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
@connected
def add(
    client: "Client",
    out: "Output",
    flow: str,
    cron: str,
    every: str | None,
    timezone: str,
    pairs: tuple[str, ...],
    params: str,
    vendor_type: str,
    vendor_id: str,
    reason: str,
) -> None:
    """Let FLOW run by itself."""
    from jobdeck.cli.params import gather
    from jobdeck.domain import clock

    if bool(cron) == (every is not None):
        raise click.UsageError("Give --cron or --every, one of them.")
    schema = client.pipeline(client.flow(flow).pipeline).manifest.params_schema
    made = client.add_schedule(
        flow,
        cron=cron,
        interval_s=clock.parse_duration(every, "every"),
        timezone=timezone,
        params=gather(pairs, params, schema),
        vendor_type=vendor_type,
        vendor_id=vendor_id,
        reason=reason,
    )
    _show_one(out, made)


def _show_one(out: "Output", schedule: "Schedule") -> None:
    from jobdeck.cli.output import local
    from jobdeck.client import shapes

    if out.as_json:
        out.json(shapes.Schedule.of(schedule))
    out.say(
        f"Schedule {schedule.id} of {schedule.flow}: {times_of(schedule)}; "
        f"next at {local(schedule.next_at)}."
    )


@schedules.command()
@click.argument("schedule_id", metavar="ID|all")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
@connected
def pause(client: "Client", out: "Output", schedule_id: str, reason: str) -> None:
    """Let a schedule create no more jobs."""
    number = number_or_all(schedule_id, "schedule")
    show_schedules(out, client.pause_schedule(number, reason=reason))


@schedules.command()
@click.argument("schedule_id", metavar="ID|all")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
@connected
def resume(client: "Client", out: "Output", schedule_id: str, reason: str) -> None:
    """Let a schedule create jobs again, from its next time on."""
    number = number_or_all(schedule_id, "schedule")
    show_schedules(out, client.resume_schedule(number, reason=reason))


@schedules.command()
@click.argument("schedule_id", type=int, metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
@connected
def run(client: "Client", out: "Output", schedule_id: int, reason: str) -> None:
    """Create the schedule's job now."""
    from jobdeck.client import shapes
    from jobdeck.domain import clock

    job = client.run_schedule(schedule_id, reason=reason)
    if out.as_json:
        out.json(shapes.Job.at(job, clock.now()))
    out.say(f"Job {job.id} of {job.flow} is {job.status}.")


@schedules.command()
@click.argument("schedule_id", type=int, metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
@connected
def remove(client: "Client", out: "Output", schedule_id: int, reason: str) -> None:
    """Take a schedule away; the jobs that it created remain."""
    client.remove_schedule(schedule_id, reason=reason)
    if out.as_json:
        out.json({"removed": schedule_id})
    out.say(f"Schedule {schedule_id} is removed.")
