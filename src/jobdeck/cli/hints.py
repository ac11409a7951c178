"""`jobdeck hints`: rules that say what to do about an error."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client


@click.group()
def hints() -> None:
    """Rules that say what to do about an error."""


@hints.command("list")
@connected
def list_(client: "Client", out: "Output") -> None:
    """List the rules in the order in which they are tried."""
    from jobdeck.client import answers

    found = client.hints()
    if out.as_json:
        out.json([answers.HintRule.of(rule) for rule in found])
        return
    rows = [(rule.id, rule.pattern, rule.hint, rule.link) for rule in found]
    out.table(("ID", "PATTERN", "HINT", "LINK"), rows, empty="There are none.", right="ID")


@hints.command()
@click.argument("pattern")
@click.argument("hint")
@click.option("--link", default="", metavar="URL", help="Where to read more.")
@options.reason
@connected
def add(client: "Client", out: "Output", pattern: str, hint: str, link: str, reason: str) -> None:
    """Give errors in whose type and message PATTERN occurs that HINT, from now on."""
    from jobdeck.client import answers

    made = client.add_hint(pattern, hint, link=link, reason=reason)
    if out.as_json:
        out.json(answers.HintRule.of(made))
    out.say(f"Hint {made.id} is given to errors from now on.")


@hints.command()
@click.argument("hint_id", type=int, metavar="ID")
@options.reason
@connected
def remove(client: "Client", out: "Output", hint_id: int, reason: str) -> None:
    """Take a rule away; errors that have its hint keep it."""
    client.remove_hint(hint_id, reason=reason)
    if out.as_json:
        out.json({"removed": hint_id})
    out.say(f"Hint {hint_id} is removed.")
