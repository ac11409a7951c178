"""How the commands show items that flows take once."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobdeck.cli.output import Output
    from jobdeck.domain.filters import Page
    from jobdeck.domain.records import FlowItem


def show_page(out: "Output", page: "Page[FlowItem]") -> None:
    """A table of them, and how to go on."""
    from jobdeck.client import answers
    from jobdeck.domain import clock

    if out.as_json:
        shapes = [answers.FlowItem.of(each) for each in page.items]
        out.json(answers.FlowItems(shapes, page.next))
        return
    rows = [
        (each.source or None, each.item, each.state, each.job, clock.to_iso(each.at))
        for each in page.items
    ]
    heads = ("SOURCE", "ITEM", "STATE", "JOB", "SINCE")
    out.table(heads, rows, empty="There are no such items.", right="JOB")
    if page.next:
        out.say(f"There are more: --cursor {page.next}")


def show_counts(out: "Output", counts: dict[str, int], more: bool) -> None:
    """The number in each state."""
    if out.as_json:
        out.json({**counts, "more": more})
        return
    out.fields([(state.capitalize(), number) for state, number in counts.items()])
    if more:
        out.say("Only the first 20,000 were counted.")
