"""How many jobs were created in the last hours or days, and what became of them."""

from msgspec import Struct, structs
from sqlalchemy import Connection

from jobdeck.domain import filterterms
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.filterterms import Term
from jobdeck.store import charts
from jobdeck.store.charts import Bar
from jobdeck.web import formats
from jobdeck.web.render import Pages


class Span(Struct, frozen=True, kw_only=True):
    """How far back a chart goes, in words and seconds, and how many seconds each bar holds."""

    words: str
    seconds: int
    bar_s: int


DAY = Span(words="last 24 hours", seconds=24 * 3600, bar_s=1800)
WEEK = Span(words="last 7 days", seconds=7 * 86_400, bar_s=3 * 3600)


class Activity(Struct, frozen=True, kw_only=True):
    """A chart's bars, each of `bar_s` seconds, and what they show in words."""

    text: str
    bars: list[Bar] = []
    bar_s: int = 0


def read(conn: Connection, wanted: JobFilter, span: Span, now: Micros) -> Activity:
    """The jobs that the filter means, from the first whole bar of the span on."""
    since = now - span.seconds * SECOND
    wanted = structs.replace(wanted, created_after=since + -since % (span.bar_s * SECOND))
    found = charts.read(conn, wanted, now, bars=span.seconds // span.bar_s)
    if found is None or not found.total:
        return Activity(text=f"{span.words}: none")
    failed = sum(bar.failed for bar in found.bars)
    ended = failed + sum(bar.completed for bar in found.bars)
    words = [formats.number(found.total)]
    if failed:
        of = "" if ended == found.total else " of completed and failed"
        words.append(f"{formats.number(failed)} failed ({_share(failed, ended)}{of})")
    if found.left_out:
        words.append(f"{formats.number(found.left_out)} open ones not shown")
    text = f"{span.words}: {', '.join(words)}"
    return Activity(text=text, bars=found.bars, bar_s=found.bar_s)


def _share(part: int, whole: int) -> str:
    share = 100 * part / whole
    return f"{share:.1f}{formats.THIN}%" if share >= 0.1 else f"under 0.1{formats.THIN}%"


def panel(
    pages: Pages, conn: Connection, now: Micros, span: Span, *, pipeline: str = "", flow: str = ""
) -> str:
    """The chart of all jobs, or of those of one pipeline or flow; what is drawn over in it, or
    clicked, becomes the range of the list of jobs."""
    names = {"pipeline": pipeline, "flow": flow}
    terms = [Term(name, value) for name, value in names.items() if value]
    query = filterterms.join([*terms, Term("created", "FROM..TO")])
    return pages.html(
        "activity.html",
        activity=read(conn, JobFilter(pipeline=pipeline, flow=flow), span, now),
        brush=pages.url("/jobs", {"q": query}),
    )
