"""`jobdeck flows`: configured instances of pipelines."""

from typing import TYPE_CHECKING, Any

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected
from jobdeck.cli.options import OrNone, or_none

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client
    from jobdeck.domain.records import Flow

_SETTINGS = (
    click.option("--queue", help="Where its jobs wait."),
    click.option("--priority", type=int, help="Larger goes first."),
    options.pairs,
    options.params,
    click.option("--context", metavar="NAME", help="The named set of parameters to use."),
    click.option(
        "--retries",
        type=OrNone(click.INT),
        metavar="N|none",
        help="More attempts after one that failed; none is as the pipeline says.",
    ),
    click.option("--backoff", metavar="TIME", help="Before the first of them, such as 30s."),
    click.option(
        "--timeout",
        type=OrNone(),
        metavar="TIME|none",
        help="How long a job may take, such as 5m; none is as the pipeline says.",
    ),
    options.running,
    click.option("--sequential", is_flag=True, help="One job after the other: --running 1."),
    options.rate,
    click.option(
        "--after",
        multiple=True,
        metavar="FLOW[:OUTCOME]|none",
        help="Run when a job of that flow has completed, or :failed, or :ended (either).",
    ),
    options.reason,
)


@click.group()
def flows() -> None:
    """Configured instances of pipelines."""


def _settings(function: Any) -> Any:
    for option in reversed(_SETTINGS):
        function = option(function)
    return function


@flows.command("list")
@click.option("--pipeline", default="", help="Of that pipeline.")
@connected
def list_(client: "Client", out: "Output", pipeline: str) -> None:
    """List flows."""
    from jobdeck.client import shapes

    found = client.flows(pipeline)
    if out.as_json:
        out.json([shapes.Flow.of(flow) for flow in found])
        return
    rows = [
        (flow.name, flow.pipeline, flow.queue, flow.priority, flow.params or None) for flow in found
    ]
    heads = ("FLOW", "PIPELINE", "QUEUE", "PRIORITY", "PARAMETERS")
    out.table(heads, rows, empty="There are no flows yet.", right="PRIORITY")


@flows.command()
@click.argument("name")
@connected
def show(client: "Client", out: "Output", name: str) -> None:
    """Show a flow, and the parameters that it takes."""
    show_flow(out, client, client.flow(name))


@flows.command()
@click.argument("name")
@options.pairs
@options.params
@connected
def check(client: "Client", out: "Output", name: str, pairs: tuple[str, ...], params: str) -> int:
    """Say whether a job of the flow could run as it is configured; nothing is begun.

    Exits with 1 if it could not.
    """
    from jobdeck.cli.params import gather
    from jobdeck.client import answers

    schema = client.pipeline(client.flow(name).pipeline).manifest.params_schema
    problems = client.check_flow(name, gather(pairs, params, schema))
    if out.as_json:
        out.json(answers.Check(not problems, problems))
    for field, wrong in problems.items():
        out.say(f"{field}: {wrong}")
    if not problems:
        out.say(f"A job of {name} could run.")
    return 1 if problems else 0


@flows.command()
@click.argument("name")
@click.option("--pipeline", required=True, help="What it is a flow of.")
@_settings
@connected
def add(
    client: "Client", out: "Output", name: str, pipeline: str, reason: str, **given: Any
) -> None:
    """Configure a new flow of a pipeline; what is not given is as the pipeline says."""
    found = _given(client, pipeline, None, given)
    show_flow(out, client, client.add_flow(name, pipeline, reason=reason, **found))


@flows.command()
@click.argument("name")
@_settings
@connected
def edit(client: "Client", out: "Output", name: str, reason: str, **given: Any) -> None:
    """Change what is given; other parameters of the flow stay as they are."""
    flow = client.flow(name)
    found = _given(client, flow.pipeline, flow, given)
    if not found:
        raise click.UsageError("There is nothing to change; give an option, such as --queue.")
    show_flow(out, client, client.edit_flow(name, reason=reason, **found))


@flows.command()
@click.argument("name")
@options.reason
@connected
def remove(client: "Client", out: "Output", name: str, reason: str) -> None:
    """Take a flow away with its schedules; its jobs remain to be seen."""
    client.remove_flow(name, reason=reason)
    if out.as_json:
        out.json({"removed": name})
    out.say(f"Flow {name} is removed.")


@flows.command()
@click.argument("name")
@click.option("--job", type=int, metavar="ID", help="Only those that job took.")
@click.option("--source", metavar="TEXT", help="Only those from that source.")
@click.option("--item", default="", metavar="TEXT", help="Only that one.")
@click.option("--state", default="", metavar="STATE", help="claimed, deferred, processed, released")
@click.option("--count", is_flag=True, help="How many are in each state.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, help="At most so many.")
@click.option("--cursor", metavar="TEXT", help="Where the page before ended.")
@connected
def items(
    client: "Client",
    out: "Output",
    name: str,
    job: int | None,
    source: str | None,
    item: str,
    state: str,
    count: bool,
    limit: int,
    cursor: str | None,
) -> None:
    """List the items that a flow takes only once."""
    from jobdeck.cli import items as shown

    if count:
        shown.show_counts(out, *client.count_items(name, job=job))
    else:
        page = client.items(
            name,
            job=job,
            source=source,
            item=item,
            state=state,
            limit=limit,
            cursor=cursor,
        )
        shown.show_page(out, page)


@flows.command()
@click.argument("name")
@click.option("--source", metavar="TEXT", help="Those from that source.")
@click.option("--item", default="", metavar="TEXT", help="That one.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@options.reason
@connected
def forget(
    client: "Client",
    out: "Output",
    name: str,
    source: str | None,
    item: str,
    every: bool,
    reason: str,
) -> None:
    """Let a flow take items again."""
    if every == (source is not None or bool(item)):
        raise click.UsageError("Give --item, --source or both; or --all.")
    gone = client.forget_items(name, source=source, item=item, reason=reason)
    if out.as_json:
        out.json({"items": gone})
    out.say(f"Flow {name} has forgotten {gone} item{'' if gone == 1 else 's'}.")


def _given(
    client: "Client", pipeline: str, flow: "Flow | None", given: dict[str, Any]
) -> dict[str, Any]:
    """The settings of a flow that the options say."""
    from jobdeck.cli.params import gather
    from jobdeck.domain import clock
    from jobdeck.domain.retry import RetryPolicy

    manifest = client.pipeline(pipeline).manifest
    found = {
        name: given[name] for name in ("queue", "priority", "context") if given[name] is not None
    }
    if given["pairs"] or given["params"]:
        params = gather(given["pairs"], given["params"], manifest.params_schema)
        found["params"] = {**(flow.params if flow else {}), **params}
    if given["timeout"] is not None:
        found["timeout_s"] = clock.parse_duration(or_none(given["timeout"]), "timeout")
    found |= _limits(given)
    if given["after"]:
        found["after"] = [] if given["after"] == (options.NONE,) else list(given["after"])
    if given["retries"] == options.NONE:
        if given["backoff"] is not None:
            raise click.UsageError("--backoff goes with a number of --retries, not with none.")
        found["retry"] = None
    elif given["retries"] is not None or given["backoff"] is not None:
        policy = (flow.retry if flow else None) or manifest.retry
        retries = policy.retries if given["retries"] is None else given["retries"]
        backoff = clock.parse_duration(given["backoff"], "backoff")
        found["retry"] = RetryPolicy(
            retries, policy.backoff_s if backoff is None else backoff, policy.max_s, policy.jitter
        )
    return found


def _limits(given: dict[str, Any]) -> dict[str, Any]:
    if given["sequential"] and given["running"] is not None:
        raise click.UsageError("--sequential is --running 1; give one of them.")
    found = {"max_running": 1} if given["sequential"] else {}
    for option, name in (("running", "max_running"), ("rate", "rate")):
        if given[option] is not None:
            found[name] = or_none(given[option])
    return found


def show_flow(out: "Output", client: "Client", flow: "Flow") -> None:
    """All about a flow."""
    from jobdeck.cli.output import seconds
    from jobdeck.cli.queues import limits_of
    from jobdeck.client import shapes

    if out.as_json:
        out.json(shapes.Flow.of(flow))
        return
    manifest = client.pipeline(flow.pipeline).manifest
    retry = flow.retry or manifest.retry
    out.fields(
        [
            ("Flow", flow.name),
            ("Pipeline", flow.pipeline),
            ("About", manifest.doc),
            ("Queue", f"{flow.queue}, priority {flow.priority}"),
            ("Context", flow.context),
            ("Retries", f"{retry.retries}, the first after {seconds(retry.backoff_s)}"),
            ("Timeout", seconds(flow.timeout_s or manifest.timeout_s)),
            ("Limits", limits_of(flow)),
            ("Runs after", ", ".join(flow.after)),
            ("Steps", ", ".join(step.name for step in manifest.steps)),
            ("Parameters", flow.params),
        ]
    )
    schema = manifest.params_schema
    required = set(schema.get("required", ()))
    rows = []
    for name, rule in schema.get("properties", {}).items():
        default = "required" if name in required else rule.get("default")
        rows.append((name, _type_text(rule, schema), default, rule.get("description", "")))
    if rows:
        out.say("")
        out.table(("TAKES", "TYPE", "DEFAULT", "ABOUT"), rows, empty="")


def _type_text(rule: Any, schema: dict[str, Any]) -> str:
    from jobdeck.cli.params import JSON_TYPES, types_of

    types = types_of(rule, schema)
    return "any" if types == JSON_TYPES else " or ".join(sorted(types))
