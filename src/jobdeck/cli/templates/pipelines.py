"""Pipelines to start from.

jobdeck up pipelines.py --reload      starts everything; open the link that it prints
jobdeck run hello -p name=Ada         creates a job, from a second terminal
jobdeck run folder_report --wait      creates one and waits for its end
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from jobdeck import Context, NoItems, Pipeline, job


# A job is a function. Its parameters are checked against the annotations when a job is created,
# and make the form on the page. `retries=3`: at most four attempts, with growing pauses between.
@job(queue="default", retries=3, timeout="1m")
def hello(ctx: Context, name: str = "world") -> str:
    """Say hello; the docstring is what the page tells about it."""
    ctx.log.info("greeting", name=name)  # what is printed is kept, too
    return f"Hello, {name}!"


# A pipeline has several steps, and here also a model for its parameters and a schedule
# (cron: minute, hour, day, month, weekday).
@dataclass
class ReportParams:
    """Parameters that all steps of a job share."""

    folder: str = "."
    pattern: str = "*"


folder_report = Pipeline("folder_report", params=ReportParams, schedule="*/10 * * * *")


# Steps take parameters by name. What one returns is kept as JSON, so that a retry begins at the
# step that failed, and the next step gets it first.
@folder_report.step
def find(folder: str, pattern: str) -> list[str]:
    """List the files."""
    return sorted(str(path) for path in Path(folder).glob(pattern) if path.is_file())


@folder_report.step(retries=2)
def write(ctx: Context, files: list[str]) -> dict[str, int]:
    """Write their sizes into a file that the page of the job offers."""
    if not files:
        raise NoItems("there are no files")  # completed, but shown as having found nothing
    total = 0
    with ctx.files.open("report.csv", "w") as report:
        table = csv.writer(report)
        table.writerow(["file", "bytes"])
        # Each chunk is counted and committed, and shows how far the job is. A job that was lost
        # with its worker goes on after the last committed chunk.
        for chunk in ctx.chunks(files, size=100):
            for name in chunk:
                size = Path(name).stat().st_size
                table.writerow([name, size])
                total += size
    return {"files": len(files), "bytes": total}
