"""Short lists that are read whole: their columns, the order that an address asks for."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Column(Struct, frozen=True, kw_only=True):
    """One column of a list; `key` gives what it is sorted by (None: it cannot be)."""

    name: str
    label: str = ""
    css: str = ""
    key: Callable[[Any], Any] | None = None

    @property
    def sorts(self) -> bool:
        """Whether the list can be sorted by it."""
        return self.key is not None


class Table(Struct, Generic[T], frozen=True, kw_only=True):
    """A list in one order; `query` is the rest of its address, with all that can be asked."""

    columns: Sequence[Column]
    sort: str = ""
    query: dict[str, str] = {}

    @property
    def narrowed(self) -> bool:
        """Whether anything keeps rows out of it."""
        return any(self.query.values())

    def direction(self, name: str) -> str:
        """How the list is sorted by that column: ascending, descending, or empty."""
        if self.sort.removeprefix("-") != name:
            return ""
        return "descending" if self.sort.startswith("-") else "ascending"

    def sorted_by(self, name: str) -> dict[str, str]:
        """The address of the list sorted by that column: the largest first at the first click."""
        direction = self.direction(name)
        return {**self.query, "sort": name if direction == "descending" else f"-{name}"}

    def pairs(self, **changes: str) -> dict[str, str]:
        """The address of the list as it is, or with other conditions."""
        return {**self.query, "sort": self.sort, **changes}

    def arrange(self, rows: Sequence[T]) -> list[T]:
        """The rows in that order; those that are alike stay in the order in which they came."""
        for column in self.columns:
            if column.key is not None and self.direction(column.name):
                return sorted(rows, key=column.key, reverse=self.sort.startswith("-"))
        return list(rows)


def read(
    columns: Sequence[Column], asked: Mapping[str, Any], show: Collection[str], **query: str
) -> "Table[Any]":
    """The list that an address asks for, narrowed by `query` and to one of `show`; an order or a
    choice that is none is left out."""
    sort, shown = str(asked.get("sort", "")), str(asked.get("show", ""))
    known = {column.name for column in columns if column.sorts}
    return Table(
        columns=columns,
        sort=sort if sort.removeprefix("-") in known else "",
        query={**query, "show": shown if shown in show else ""},
    )


def sought(asked: Mapping[str, Any]) -> str:
    """The text that the rows of a list must have in them."""
    return str(asked.get("q", "")).strip()
