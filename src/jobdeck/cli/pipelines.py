"""`jobdeck pipelines`: what code defines."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Pipeline


@click.group()
def pipelines() -> None:
    """What code defines, and which version of it runs."""


@pipelines.command("list")
@connected
def list_(client: "Client", out: "Output") -> None:
    """List pipelines."""
    show_pipelines(out, client.pipelines())


def show_pipelines(out: "Output", found: list["Pipeline"]) -> None:
    """One line for each pipeline."""
    from jobdeck.cli.output import first_line, local
    from jobdeck.client import shapes

    if out.as_json:
        out.json([shapes.Pipeline.of(pipeline) for pipeline in found])
        return
    rows = []
    for each in found:
        runs = f"{each.published_version}" if each.published_version else "not published"
        steps = ", ".join(step.name for step in each.manifest.steps)
        changed, about = local(each.updated_at), first_line(each.manifest.doc)
        rows.append((each.name, each.current_version, runs, changed, steps, about))
    heads = ("PIPELINE", "VERSION", "RUNS", "CHANGED", "STEPS", "ABOUT")
    out.table(heads, rows, empty="There are no pipelines yet.", right="VERSION")


@pipelines.command("import")
@click.argument("target")
@click.option("--no-publish", is_flag=True, help="Let jobs go on with the version that runs.")
@options.reason
@connected
def import_(client: "Client", out: "Output", target: str, no_publish: bool, reason: str) -> None:
    """Take in what TARGET, a module or a file, defines."""
    from jobdeck.cli.starting import load

    report = load(target)
    show_pipelines(out, client.register(report.pipelines, publish=not no_publish, reason=reason))


@pipelines.command()
@click.argument("name")
@click.option("--version", type=int, help="By default the current one.")
@options.reason
@connected
def publish(client: "Client", out: "Output", name: str, version: int | None, reason: str) -> None:
    """Let jobs run a version of a pipeline."""
    show_pipelines(out, [client.publish(name, version=version, reason=reason)])


@pipelines.command()
@click.argument("name")
@options.reason
@connected
def unpublish(client: "Client", out: "Output", name: str, reason: str) -> None:
    """Let no more jobs of a pipeline start."""
    show_pipelines(out, [client.unpublish(name, reason=reason)])


@pipelines.command()
@click.argument("name")
@options.reason
@connected
def remove(client: "Client", out: "Output", name: str, reason: str) -> None:
    """Take a pipeline away with its flows and schedules; its jobs remain to be seen."""
    client.remove_pipeline(name, reason=reason)
    if out.as_json:
        out.json({"removed": name})
    out.say(f"Pipeline {name} is removed.")
