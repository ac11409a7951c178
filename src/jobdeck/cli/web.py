"""`jobdeck web`: the server alone, in this very process."""

import signal
from typing import Any

import rich_click as click

from jobdeck.cli.options import base_path, host, port, store
from jobdeck.cli.starting import say_when_ready


@click.command()
@store
@host
@port
@base_path
def web(**flags: Any) -> int:
    """Start the dashboard alone; `jobdeck worker` runs the jobs."""
    from jobdeck.cli import banner, logs
    from jobdeck.cli.child import make_server, open_store
    from jobdeck.client import settings
    from jobdeck.http import listening
    from jobdeck.store import schema

    chosen = settings.read(flags)
    with listening.listen(chosen) as listener:
        opened = open_store(chosen)
        schema.ensure(opened)
        logs.configure(chosen, "web")
        server, deck = make_server(chosen, opened)
        address = listening.address(chosen, listener)
        link = address + deck.sign_in_path.removeprefix(deck.base_path)
        say_when_ready(address, lambda: banner.show(link=link, store=opened.name))
        # uvicorn raises the signal that ended it once more when it is done.
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        server.run(sockets=[listener])
    return 0
