"""Writes the parts of the reference that come from the code: `python -m scripts.reference`.

What stands above the marks is written by hand and stays.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute

from jobdeck.api.routes import api_router
from jobdeck.cli.main import jobdeck
from jobdeck.http.state import Deck
from jobdeck.store.database import Store

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
COMMANDS_MARK = "## Start and run\n"
CALLS_MARK = "### Jobs\n"
SHARED = {"--store", "--json", "--reason"}
"""Options that are told once for all commands."""

TITLES = {"db": "The store"}
KINDS = {"integer": "NUMBER", "integer range": "NUMBER", "float": "NUMBER"}
METHODS = ("GET", "POST", "PATCH", "DELETE")


def main() -> None:
    """Write both pages."""
    replace_after(REFERENCE / "commands.md", COMMANDS_MARK, "\n".join(commands()))
    replace_after(REFERENCE / "rest.md", CALLS_MARK, "\n".join(calls()))


def replace_after(page: Path, mark: str, text: str) -> None:
    """Keep the page up to the mark, and put the text after it."""
    above, _, _ = page.read_text().partition(mark)
    page.write_text(f"{above}{mark}\n{text.strip()}\n")


def commands() -> Iterator[str]:
    """A section for each command."""
    for name, command in jobdeck.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield from section(f"jobdeck {name}", command)
            continue
        yield f"## {TITLES.get(name, name.capitalize())}\n"
        for each, one in inner.items():
            yield from section(f"jobdeck {name} {each}", one)


def section(words: str, command: Any) -> Iterator[str]:
    """What a command does, and the options that it does not share."""
    context = command.make_context(words, [], resilient_parsing=True)
    given = [p.make_metavar(ctx=context) for p in command.params if _is(p, "argument")]
    yield f"### `{words}`\n"
    if given:
        yield f"`{' '.join([words, *given])}`\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    options = [p for p in command.params if _is(p, "option") and p.opts[0] not in SHARED]
    if options:
        yield "| Option | Means |\n|---|---|"
        yield from (option_row(option) for option in options)
        yield ""


def option_row(option: Any) -> str:
    """The row of an option in its table."""
    choices = getattr(option.type, "choices", None)
    value = option.metavar or ("|".join(choices) if choices else "")
    value = value or KINDS.get(option.type.name, option.type.name.upper())
    names = [name if option.is_flag else f"{name} {value}" for name in option.opts]
    text = (option.help or "").rstrip(".")
    cells = (", ".join(f"`{name}`" for name in names), text[:1].lower() + text[1:])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is(parameter: Any, kind: str) -> bool:
    return bool(parameter.param_type_name == kind)


def calls() -> Iterator[str]:
    """A table for each noun of the API."""
    found: dict[str, list[tuple[int, str, int, str]]] = defaultdict(list)
    deck = Deck(Store("sqlite:///never-opened.db"))
    for route in Litestar([api_router(deck)], openapi_config=None).routes:
        if not isinstance(route, HTTPRoute) or not route.path_format.startswith("/api/v1/"):
            continue
        path = route.path_format.removeprefix("/api/v1")
        noun = "jobs" if path.endswith("/jobs") else path.split("/")[1]
        path = re.sub(r"\{\w+_id\}|\{number\}", "{id}", path)
        for handler in route.route_handlers:
            for method in sorted(handler.http_methods & set(METHODS)):
                row = call_row(method, path, handler)
                found[noun].append((path.count("/"), path, METHODS.index(method), row))
    for noun, rows in sorted(found.items(), key=lambda item: item[0] != "jobs"):
        if noun != "jobs":
            yield f"### {noun.capitalize()}\n"
        yield "| Call | Role | Does |\n|---|---|---|"
        yield from (row for *_, row in sorted(rows))
        yield ""


def call_row(method: str, path: str, handler: Any) -> str:
    """The row of a call in its table: the first paragraph of what its handler says."""
    function = getattr(handler.fn, "func", handler.fn)
    role = handler.opt["role"]
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return f"| `{method} {path}` | {role.name.lower() if role else 'public'} | {text} |"


if __name__ == "__main__":
    main()
