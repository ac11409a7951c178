"""`jobdeck schedules`: what creates jobs at times."""

from typing import TYPE_CHECKING, Any

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected, number_or_all
from jobdeck.cli.options import OrNone, or_none

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Schedule


@click.group()
def schedules() -> None:
    """What creates jobs of a flow at times."""


_RULE = (
    click.option("--cron", metavar="LINE", help="Five fields, such as '*/5 * * * *'."),
    click.option("--every", metavar="TIME", help="An interval instead, such as 10m."),
    click.option("--timezone", metavar="NAME", help="Of the cron line; UTC."),
    click.option(
        "--start", type=OrNone(), metavar="TIME|none", help="Not before, such as 2026-11-20T13:30Z."
    ),
    click.option("--end", type=OrNone(), metavar="TIME|none", help="Not after."),
    click.option(
        "--jitter", type=OrNone(), metavar="TIME|none", help="Start up to so much later: 30s."
    ),
    click.option(
        "--misfire", metavar="RULE", help="For ticks that were missed: skip, once (default) or all."
    ),
    click.option(
        "--overlap",
        metavar="RULE",
        help="While a job of it is open: allow (default), skip or queue.",
    ),
    options.pairs,
    options.params,
    options.reason,
)


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
        rows.append(
            (
                each.id,
                each.flow,
                times_of(each),
                _owner(each),
                local(each.next_at),
                last,
                _state(each),
            )
        )
    heads = ("ID", "FLOW", "WHEN", "OWNER", "NEXT", "LAST", "STATE")
    out.table(heads, rows, empty="There are no schedules yet.", right="ID")


def _owner(schedule: "Schedule") -> str:
    return f"{schedule.vendor_type} {schedule.vendor_id}".strip()


def _state(schedule: "Schedule") -> str:
    from jobdeck.cli.output import local

    if schedule.paused_at is not None:
        return f"paused by {schedule.paused_by}"
    if schedule.held:
        return "held: SCHEDULER is paused"
    if schedule.waiting_at is not None:
        return f"waits for job {schedule.last_job}"
    if schedule.next_at is None:
        return f"ended at {local(schedule.end_at)}"
    return ""


def times_of(schedule: "Schedule") -> str:
    """When it fires, in words."""
    from jobdeck.domain import clock, cron

    if schedule.interval_s is not None:
        text = clock.format_duration(schedule.interval_s)
        return f"every {text.removesuffix(' 00 s').removesuffix(' 00 min')}"
    zone = "" if schedule.timezone == "UTC" else f" ({schedule.timezone})"
    return f"{schedule.cron}{zone}: {cron.describe(schedule.cron)}"


def _rule(function: Any) -> Any:
    for option in reversed(_RULE):
        function = option(function)
    return function


@schedules.command()
@click.argument("flow")
@_rule
@click.option("--vendor-type", default="", help="The kind of its owner.")
@click.option("--vendor-id", default="", help="The owner.")
@connected
def add(
    client: "Client",
    out: "Output",
    flow: str,
    vendor_type: str,
    vendor_id: str,
    reason: str,
    **given: Any,
) -> None:
    """Let FLOW run by itself."""
    if bool(given["cron"]) == (given["every"] is not None):
        raise click.UsageError("Give --cron or --every, one of them.")
    found = _given(client, flow, given)
    made = client.add_schedule(
        flow, vendor_type=vendor_type, vendor_id=vendor_id, reason=reason, **found
    )
    _show_one(out, made)


@schedules.command()
@click.argument("schedule_id", type=int, metavar="ID")
@_rule
@connected
def edit(client: "Client", out: "Output", schedule_id: int, reason: str, **given: Any) -> None:
    """Change what is given; new times hold from now on."""
    if given["cron"] and given["every"] is not None:
        raise click.UsageError("Give --cron or --every, one of them.")
    old = client.schedule(schedule_id)
    found = _given(client, old.flow, given)
    if not found:
        raise click.UsageError("There is nothing to change; give an option, such as --cron.")
    if "params" in found:
        found["params"] = {**old.params, **found["params"]}
    _show_one(out, client.edit_schedule(schedule_id, reason=reason, **found))


def _given(client: "Client", flow: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a schedule that the options say."""
    from jobdeck.cli.params import gather
    from jobdeck.domain import clock

    names = ("cron", "timezone", "misfire", "overlap")
    found = {name: given[name] for name in names if given[name] is not None}
    if given["every"] is not None:
        found["interval_s"] = clock.parse_duration(given["every"], "every")
    for name in ("start", "end"):
        if given[name] is not None:
            at = or_none(given[name])
            found[f"{name}_at"] = None if at is None else clock.from_iso(at, name)
    if given["jitter"] is not None:
        jitter = or_none(given["jitter"])
        found["jitter_s"] = clock.parse_duration(jitter, "jitter") or 0.0
    if given["pairs"] or given["params"]:
        schema = client.pipeline(client.flow(flow).pipeline).manifest.params_schema
        found["params"] = gather(given["pairs"], given["params"], schema)
    return found


def _show_one(out: "Output", schedule: "Schedule") -> None:
    from jobdeck.cli.output import local
    from jobdeck.client import shapes

    if out.as_json:
        out.json(shapes.Schedule.of(schedule))
    out.say(
        f"Schedule {schedule.id} of {schedule.flow}: {times_of(schedule)}; "
        f"next at {local(schedule.next_at)}."
    )


@schedules.command("next")
@click.argument("schedule_id", type=int, metavar="ID")
@click.option("--count", type=click.IntRange(1, 100), default=5, metavar="N", help="How many; 5.")
@connected
def next_(client: "Client", out: "Output", schedule_id: int, count: int) -> None:
    """Show the next times of a schedule, paused or not."""
    from jobdeck.cli.output import local
    from jobdeck.domain import clock

    found = client.next_ticks(schedule_id, count)
    if out.as_json:
        out.json([clock.to_iso(tick) for tick in found])
        return
    for tick in found:
        out.say(local(tick))
    if not found:
        out.say(f"Schedule {schedule_id} has ended.")


@schedules.command()
@click.argument("schedule_id", metavar="ID|all")
@options.reason
@connected
def pause(client: "Client", out: "Output", schedule_id: str, reason: str) -> None:
    """Let a schedule create no more jobs."""
    number = number_or_all(schedule_id, "schedule")
    show_schedules(out, client.pause_schedule(number, reason=reason))


@schedules.command()
@click.argument("schedule_id", metavar="ID|all")
@options.reason
@connected
def resume(client: "Client", out: "Output", schedule_id: str, reason: str) -> None:
    """Let a schedule create jobs again; its misfire rule says what of the times it missed."""
    number = number_or_all(schedule_id, "schedule")
    show_schedules(out, client.resume_schedule(number, reason=reason))


@schedules.command()
@click.argument("schedule_id", type=int, metavar="ID")
@options.reason
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
@options.reason
@connected
def remove(client: "Client", out: "Output", schedule_id: int, reason: str) -> None:
    """Take a schedule away; the jobs that it created remain."""
    client.remove_schedule(schedule_id, reason=reason)
    if out.as_json:
        out.json({"removed": schedule_id})
    out.say(f"Schedule {schedule_id} is removed.")
