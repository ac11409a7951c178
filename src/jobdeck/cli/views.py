"""`jobdeck views`: your own lists of jobs that have names."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli import options
from jobdeck.cli.connecting import connected

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.client.client import Client


@click.group()
def views() -> None:
    """Your own lists of jobs that have names, as in the menu Views of the page."""


@views.command("list")
@connected
def list_(client: "Client", out: "Output") -> None:
    """List them by name."""
    from jobdeck.client import answers

    found = client.views()
    if out.as_json:
        out.json([answers.View.of(view) for view in found])
        return
    rows = [(view.id, view.name, view.filter, view.sort) for view in found]
    out.table(("ID", "NAME", "FILTER", "SORT"), rows, empty="There are none.", right="ID")


@views.command()
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@click.option("--sort", default="", help="Such as -duration, or status,-id.")
@options.reason
@connected
def save(
    client: "Client", out: "Output", name: str, words: tuple[str, ...], sort: str, reason: str
) -> None:
    """Keep the list of the jobs that FILTER means under NAME; one with that name becomes this."""
    from jobdeck.client import answers

    made = client.save_view(name, " ".join(words), sort=sort, reason=reason)
    if out.as_json:
        out.json(answers.View.of(made))
    out.say(f"View {made.id} is {made.name}.")


@views.command()
@click.argument("view_id", type=int, metavar="ID")
@click.argument("name")
@options.reason
@connected
def rename(client: "Client", out: "Output", view_id: int, name: str, reason: str) -> None:
    """Give a view another name."""
    from jobdeck.client import answers

    found = client.rename_view(view_id, name, reason=reason)
    if out.as_json:
        out.json(answers.View.of(found))
    out.say(f"View {view_id} is {found.name} now.")


@views.command()
@click.argument("view_id", type=int, metavar="ID")
@options.reason
@connected
def delete(client: "Client", out: "Output", view_id: int, reason: str) -> None:
    """Forget a view; the jobs that it shows stay as they are."""
    client.delete_view(view_id, reason=reason)
    if out.as_json:
        out.json({"deleted": view_id})
    out.say(f"View {view_id} is gone.")
