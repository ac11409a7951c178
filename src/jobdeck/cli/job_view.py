"""A job as it is shown on a terminal."""

from collections.abc import Iterable
from typing import Any

from jobdeck.cli.output import Output, cell, clean, first_line, local, local_time, seconds
from jobdeck.client import answers, shapes
from jobdeck.domain import clock
from jobdeck.domain.records import Counts, FoundLine, Job, LogLine, Step

HEADS = ("ID", "STATUS", "FLOW", "QUEUE", "CREATED", "DURATION", "ATTEMPT", "NOTE")
_LEVELS = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}


def show_list(out: Output, jobs: list[Job], *, empty: str) -> None:
    """One line for each job."""
    now = clock.now()
    rows = (
        (
            *(job.id, job.status, job.flow, job.queue, local(job.created_at)),
            *(seconds(job.duration_s(now)), job.attempt or None, note_of(job)),
        )
        for job in jobs
    )
    out.table(HEADS, rows, empty=empty, right="ID DURATION ATTEMPT")


def note_of(job: Job) -> str:
    """What is to be said of it beside its status."""
    if job.stopping:
        return "stopping"
    if job.error is not None:
        return first_line(f"{job.error.type}: {job.error.message}")
    if job.progress is not None and not job.status.final:
        return f"{_progress(job)} {job.progress.note}".strip()
    parts = [job.reason.value if job.reason else "", first_line(job.message)]
    return ": ".join(part for part in parts if part)


def _why(job: Job) -> str:
    """What its status alone, and its error, do not tell."""
    reason = job.reason.value if job.reason else ""
    parts = [
        "stopping" if job.stopping else "",
        reason if reason not in ("", "error", job.status.value) else "",
        first_line(job.message) if job.error is None else "",
    ]
    return ": ".join(part for part in parts if part)


def _progress(job: Job) -> str:
    progress = job.progress
    if progress is None:
        return ""
    fraction = progress.fraction
    return f"{progress.done:,}" if fraction is None else f"{fraction:.0%}"


def show_job(out: Output, job: Job, steps: Iterable[Step] = ()) -> None:
    """All about one job."""
    now = clock.now()
    if out.as_json:
        out.json(shapes.Job.at(job, now))
        return
    error = job.error
    out.fields(
        [
            ("Job", str(job.id)),
            ("Status", cell(job.status) + cell(f"  {_why(job)}")),
            ("Flow", job.flow if job.flow == job.pipeline else f"{job.flow} of {job.pipeline}"),
            ("Queue", f"{job.queue}, priority {job.priority}"),
            ("Created", f"{local(job.created_at)} by {job.created_by or job.source}"),
            ("Runs at", local(job.run_at) if not job.status.final else ""),
            ("Started", local(job.started_at)),
            ("Finished", local(job.finished_at)),
            ("Duration", seconds(job.duration_s(now))),
            ("Attempt", str(job.attempt) if job.attempt else ""),
            ("Progress", f"{_progress(job)} {job.progress.note}" if job.progress else ""),
            ("Parent", job.parent),
            ("Again of", job.retry_of),
            ("Context", job.context),
            ("Parameters", job.params),
            ("Result", job.result),
            ("Error", f"{error.type}: {error.message}" if error else ""),
            *((field, wrong) for field, wrong in (error.problems if error else {}).items()),
            ("In step", error.step if error else ""),
            ("Hint", f"{error.hint} {error.link}".strip() if error else ""),
        ]
    )
    rows = [
        (step.position + 1, step.name, step.status, _span(step), _counts(step.counts))
        for step in steps
    ]
    if rows:
        out.say("")
        out.table(("STEP", "NAME", "STATUS", "DURATION", "ITEMS"), rows, empty="", right="STEP")


def _span(step: Step) -> str:
    if step.started_at is None or step.finished_at is None:
        return ""
    return seconds((step.finished_at - step.started_at) / clock.SECOND)


def _counts(counts: Counts) -> str:
    names = ("read", "written", "filtered", "skipped", "commits", "rollbacks")
    return ", ".join(f"{getattr(counts, n):,} {n}" for n in names if getattr(counts, n))


def show_line(out: Output, line: LogLine) -> None:
    """One line of a job's log."""
    if out.as_json:
        out.line(shapes.LogLine.of(line))
        return
    from rich.text import Text

    _print(out, Text(f"{local_time(clock.to_datetime(line.at))} ", style="dim"), line)


def show_found_line(out: Output, line: FoundLine) -> None:
    """One line of any job's log."""
    if out.as_json:
        out.line(answers.FoundLine.of(line))
        return
    from rich.text import Text

    _print(out, Text(f"{local(line.at)} {line.flow} {line.job} ", style="dim"), line)


def _print(out: Output, text: Any, line: LogLine) -> None:
    from rich.text import Text

    if line.stream == "log":
        text.append(f"{line.level:<8}", style=_LEVELS.get(line.level, ""))
    else:
        text.append(f"{line.stream:<8}", style="dim")
    text.append(f"{line.step}: " if line.step else "", style="dim")
    text.append(clean(line.message))
    if line.fields:
        text.append_text(Text("  ")).append_text(_fields(line.fields))
    out.text(text)


def _fields(fields: Any) -> Any:
    from rich.text import Text

    if not isinstance(fields, dict):
        return cell(fields)
    return Text(" ".join(f"{name}={cell(value).plain}" for name, value in fields.items()), "dim")
