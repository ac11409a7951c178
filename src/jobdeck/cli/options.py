"""Options that several commands share. None means: not given, see the settings."""

import rich_click as click

store = click.option(
    "--store", metavar="URL", help="Address of the store; by default sqlite:///jobdeck.db here."
)
host = click.option("--host", help="Address to listen on; by default 127.0.0.1.")
port = click.option("--port", type=int, help="Port to listen on; by default 8787, 0 is any.")
base_path = click.option("--base-path", metavar="PATH", help="Path under which a proxy serves it.")
pool_size = click.option(
    "--workers", type=int, metavar="N", help="Worker processes; by default one per processor."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the audit.")
