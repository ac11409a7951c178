"""`jobdeck db`: the store itself."""

from typing import TYPE_CHECKING

import rich_click as click

from jobdeck.cli.options import as_json, store

if TYPE_CHECKING:
    from jobdeck.store.database import Store


@click.group()
def db() -> None:
    """The store itself."""


@db.command()
@store
@as_json
def migrate(store: str | None, as_json: bool) -> None:
    """Create the store, or migrate it to what this version needs."""
    from jobdeck.store import schema

    opened = _opened(store)
    before = schema.status(opened)
    schema.ensure(opened)
    if as_json or not before.ready:
        _show(opened, as_json, "is ready")
    else:
        click.echo(f"The store {opened.name} needs no migration.")


@db.command()
@store
@as_json
def status(store: str | None, as_json: bool) -> int:
    """Tell whether the store is there and fits; exits 1 if not."""
    from jobdeck.store import schema

    opened = _opened(store)
    found = schema.status(opened)
    if found.ready:
        word = "is ready"
    elif found.current is None:
        word = "is not set up yet; run: jobdeck db migrate"
    elif found.newer:
        word = "was made by a newer Jobdeck; upgrade this one"
    else:
        word = "is older; run: jobdeck db migrate"
    _show(opened, as_json, word)
    return 0 if found.ready else 1


def _opened(address: str | None) -> "Store":
    from jobdeck.cli.child import open_store
    from jobdeck.client import settings

    return open_store(settings.read({"store": address}))


def _show(opened: "Store", as_json: bool, word: str) -> None:
    from jobdeck.cli.output import Output
    from jobdeck.store import schema

    found = schema.status(opened)
    if as_json:
        told = {"store": opened.name, "ready": found.ready}
        Output().json({**told, "version": found.current, "newest": found.newest})
        return
    version = f" (version {found.current})" if found.current else ""
    click.echo(f"The store {opened.name} {word}{version}.")
