"""What is said once everything runs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobdeck.domain.manifest import LoadReport


def summary(target: str, report: "LoadReport", workers: int) -> str:
    """What the pool runs, in one line."""
    parts = [plural(len(report.pipelines), "pipeline")]
    schedules = sum(len(pipeline.schedules) for pipeline in report.pipelines)
    if schedules:
        parts.append(plural(schedules, "schedule"))
    return f"{target}: {', '.join(parts)}, on {plural(workers, 'worker')}"


def plural(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show(
    *, store: str, link: str = "", runs: str = "", queues: str = "", reload: bool = False
) -> None:
    """Print where it is, what it does and how it ends. A link is never broken into lines."""
    from rich.console import Console
    from rich.text import Text

    import jobdeck

    rows = {
        "Open": link,
        "Store": store,
        "Runs": runs,
        "Queues": queues,
        "Reload": "whenever its files change" if reload else "",
        "Stop": "Ctrl-C",
    }
    console = Console(highlight=False, soft_wrap=True)
    text = Text("\n")
    text.append(f"  Jobdeck {jobdeck.__version__}\n\n", style="bold")
    for name, value in rows.items():
        if value:
            text.append(f"  {name:<8}", style="dim")
            style = f"bold cyan link {value}" if value.startswith("http") else ""
            text.append(f"{value}\n", style=style)
    console.print(text)
    console.file.flush()
