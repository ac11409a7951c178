"""How commands answer: tables and sentences for people, JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

COLOURS = {
    Status.SCHEDULED: "magenta",
    Status.PENDING: "yellow",
    Status.RUNNING: "blue",
    Status.RETRYING: "dark_orange",
    Status.COMPLETED: "green",
    Status.FAILED: "bold red",
    Status.STOPPED: "bright_black",
}
_WIDE = 1000
"""Columns where there is no terminal: nothing is cut there."""


class Output:
    """Where the answer of a command goes."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def json(self, value: Any) -> None:
        """Print a value as the API would give it."""
        text = msgspec.json.format(msgspec.json.encode(value), indent=2)
        sys.stdout.write(text.decode() + "\n")

    def line(self, value: Any) -> None:
        """Print a value as JSON on one line."""
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")

    def say(self, text: str) -> None:
        """Print a sentence; nothing where JSON is asked for."""
        if not self.as_json:
            sys.stdout.write(text + "\n")

    def table(
        self, heads: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str, right: str = ""
    ) -> None:
        """Print rows under their heads, or the sentence `empty`; the columns named in `right`
        are numbers."""
        from rich.table import Table

        made = list(rows)
        if not made:
            self.say(empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
        for head in heads:
            side: Any = "right" if head in right.split() else "left"
            table.add_column(head, justify=side, no_wrap=True, overflow="ellipsis")
        for row in made:
            table.add_row(*(cell(value) for value in row))
        self._print(table)

    def fields(self, rows: Iterable[tuple[str, Any]]) -> None:
        """Print names with their values, without those that are empty."""
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            if value not in (None, "", [], {}, ()):
                table.add_row(name, cell(value))
        self._print(table)

    def text(self, text: "Text") -> None:
        """Print a line with its colours, where there is a terminal to show them; never cut."""
        if sys.stdout.isatty():
            self._console.print(text, soft_wrap=True)
        else:
            sys.stdout.write(text.plain + "\n")

    def _print(self, table: "Table") -> None:
        if sys.stdout.isatty():
            self._console.print(table)
            return
        with self._console.capture() as capture:
            self._console.print(table)
        for line in capture.get().splitlines():
            sys.stdout.write(line.rstrip() + "\n")

    @cached_property
    def _console(self) -> "Console":
        """Standard output; without a terminal there is no width to keep to."""
        from rich.console import Console

        width = None if sys.stdout.isatty() else _WIDE
        return Console(width=width, highlight=False, emoji=False, markup=False)


def cell(value: Any) -> "Text":
    """A value as it stands in a table; control characters are not the terminal's to obey."""
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if isinstance(value, Status):
        return Text(value.value, style=COLOURS[value])
    if value is None:
        return Text("")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return Text(clean(text))


def clean(text: str) -> str:
    """The text without what a terminal would act on."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)


def first_line(text: str) -> str:
    """What fits into a cell."""
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def local(at: Micros | None) -> str:
    """A time as the clock on the wall shows it."""
    if at is None:
        return ""
    return clock.to_datetime(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def local_time(at: datetime) -> str:
    """The time of day with milliseconds."""
    return at.astimezone().strftime("%H:%M:%S.%f")[:-3]


def seconds(value: float | None) -> str:
    """A duration."""
    return "" if value is None else clock.format_duration(value)
