"""Nothing to do is not a failure: where in the world do clocks change soon?

On most days nowhere. The job then completes with the reason `no_items`, which the list can be
filtered by, and which no alarm should go off for.

    jobdeck run clock_changes
    jobdeck run clock_changes -p days=200
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from examples.partner_import import zones
from jobdeck import Context, NoItems, job


@job(queue="probes", every="10m")
def clock_changes(ctx: Context, days: int = 1) -> list[dict[str, str]]:
    """List the time zones whose distance from UTC changes within so many days."""
    start = now()
    end = start + timedelta(days=days)
    changes = []
    for zone, countries in zones():
        before = start.astimezone(ZoneInfo(zone)).utcoffset()
        after = end.astimezone(ZoneInfo(zone)).utcoffset()
        ctx.counts.add(read=1)
        if before == after:
            ctx.counts.add(filtered=1)
            continue
        ctx.counts.add(written=1)
        changes.append({"zone": zone, "countries": countries, "by": f"{_minutes(after, before)}"})
    if not changes:
        raise NoItems(f"no clocks change before {end:%Y-%m-%d %H:%M} UTC")
    return changes


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def _minutes(after: timedelta | None, before: timedelta | None) -> str:
    seconds = ((after or timedelta()) - (before or timedelta())).total_seconds()
    return f"{seconds / 60:+.0f} minutes"
