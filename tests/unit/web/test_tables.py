"""Short lists in the order that an address asks for."""

from __future__ import annotations

from jobdeck.web import tables
from jobdeck.web.tables import Column

COLUMNS = (Column(name="name", label="Name", key=lambda row: row[0]), Column(name="text"))
ROWS = [("b", 1), ("a", 2), ("b", 3)]


def test_rows_stand_in_the_order_that_is_asked_for() -> None:
    assert tables.read(COLUMNS, {}, ()).arrange(ROWS) == ROWS
    assert tables.read(COLUMNS, {"sort": "name"}, ()).arrange(ROWS) == [
        ("a", 2),
        ("b", 1),
        ("b", 3),
    ]
    assert tables.read(COLUMNS, {"sort": "-name"}, ()).arrange(ROWS) == [
        ("b", 1),
        ("b", 3),
        ("a", 2),
    ]


def test_orders_and_choices_that_are_none_are_left_out() -> None:
    for sort in ("text", "none", "--name"):
        assert tables.read(COLUMNS, {"sort": sort}, ()).sort == ""
    assert not tables.read(COLUMNS, {"show": "busy"}, ("paused",)).narrowed
    assert tables.read(COLUMNS, {"show": "paused"}, ("paused",)).query == {"show": "paused"}


def test_a_head_turns_the_order_round_and_keeps_the_filter() -> None:
    asked = {"sort": "-name", "q": " x "}
    table = tables.read(COLUMNS, asked, (), q=tables.sought(asked))
    assert table.direction("name") == "descending"
    assert table.sorted_by("name") == {"q": "x", "show": "", "sort": "name"}
    assert table.pairs(q="") == {"q": "", "show": "", "sort": "-name"}
    assert table.narrowed
    assert not tables.read(COLUMNS, {}, (), q="").narrowed
