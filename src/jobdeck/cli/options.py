"""Options that several commands share. None means: not given, see the settings."""

from typing import Any

import rich_click as click

NONE = "none"


class OrNone(click.ParamType[Any]):
    """A value, or `none` in its place; what is not given at all is None, too, so that `none`
    arrives as the text `NONE`."""

    def __init__(self, inner: click.ParamType[Any] = click.STRING) -> None:
        self.inner = inner
        self.name = inner.name

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the inner type has it."""
        if isinstance(value, str) and value.strip().lower() == NONE:
            return NONE
        return self.inner.convert(value, param, ctx)


def or_none(value: Any) -> Any:
    """What was given, with None for `none`."""
    return None if value == NONE else value


store = click.option(
    "--store", metavar="URL", help="Address of the store; by default sqlite:///jobdeck.db here."
)
host = click.option("--host", help="Address to listen on; by default 127.0.0.1.")
port = click.option("--port", type=int, help="Port to listen on; by default 8787, 0 is any.")
base_path = click.option("--base-path", metavar="PATH", help="Path under which a proxy serves it.")
pool_size = click.option(
    "--workers", type=int, metavar="N", help="Worker processes; by default one per processor."
)
worker_memory = click.option(
    "--worker-memory",
    metavar="SIZE",
    help="Memory that a worker may take, such as 512MB; a job that takes more is killed.",
)
worker_jobs = click.option(
    "--worker-jobs", type=int, metavar="N", help="Replace each worker after so many jobs."
)
coroutines = click.option(
    "--coroutines",
    type=int,
    metavar="N",
    help="Jobs of coroutines that a worker runs side by side; by default 20.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
pairs = click.option(
    "-p",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter; the value is JSON or a plain text, as the flow's schema has it.",
)
params = click.option(
    "--params", default="", metavar="FILE", help="A file of JSON; - is standard input."
)
running = click.option(
    "--running",
    type=OrNone(click.INT),
    metavar="N|none",
    help="Let at most so many of its jobs run at once.",
)
rate = click.option(
    "--rate", type=OrNone(), metavar="RATE|none", help="Let its jobs start at this rate: 10/s."
)
