"""Retries: a file from elsewhere that is not there yet.

The import asks another job, the "partner", to deliver a file, and fails as long as there is
none: that is what a missing delivery is. Its step is tried again after 2, 4, 8 seconds; a job
that waits for its next attempt holds no worker. The step before it is not repeated.

    jobdeck run partner_import
"""

import csv
from datetime import UTC, datetime
from importlib.resources import files
from itertools import starmap
from pathlib import Path
from zoneinfo import ZoneInfo

from jobdeck import Context, Pipeline, job

COLUMNS = ("zone", "countries", "utc_offset_minutes")


@job(queue="partners")
def partner_export(ctx: Context, target: str, prepare_s: float = 3.0) -> int:
    """Write the world's time zones and what their clocks differ from UTC now, as CSV."""
    # A real partner would be busy for so long.
    ctx.sleep(prepare_s)
    at = datetime.now(UTC)
    rows = [
        (zone, countries, round(offset.total_seconds() / 60))
        for zone, countries in zones()
        if (offset := at.astimezone(ZoneInfo(zone)).utcoffset()) is not None
    ]
    # Written aside, then moved: who looks for the file finds all of it or none.
    part = Path(target).with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    part.replace(target)
    return len(rows)


partner_import = Pipeline(
    "partner_import",
    doc="Ask a partner for the world's time zones, and read them once they are delivered.",
    queue="etl",
    every="5m",
    hints={
        # Shown beside the error of a failed job. Without it Jobdeck guesses from the error.
        FileNotFoundError: "The partner has not delivered: look at the jobs of partner_export.",
    },
)


@partner_import.step
def request(ctx: Context) -> str:
    """Ask for the file, and say where to put it."""
    target = str(ctx.files.path("inbox/zones.csv"))
    # Not a child: the import does not wait for it, and goes on when the file is there.
    number = ctx.enqueue(partner_export, target=target)
    ctx.log.info("asked the partner", job=number)
    return target


@partner_import.step(retries=6, backoff="2s", timeout="30s", retry_on=FileNotFoundError)
def collect(ctx: Context, target: str) -> dict[str, int]:
    """Read the file and count the zones by their distance from UTC."""
    hours: dict[str, int] = {}
    with Path(target).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            hour = f"{int(row['utc_offset_minutes']) / 60:+g}"
            hours[hour] = hours.get(hour, 0) + 1
            ctx.counts.add(read=1, written=1)
    ctx.log.info(f"the file was there at attempt {ctx.attempt}")
    return dict(sorted(hours.items(), key=lambda item: float(item[0])))


def zones() -> list[tuple[str, str]]:
    """Zones and the codes of their countries, from the time zone database."""
    text = files("tzdata.zoneinfo").joinpath("zone1970.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return list(starmap(lambda countries, _place, zone, *_: (zone, countries), rows))
