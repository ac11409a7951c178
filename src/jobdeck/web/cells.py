"""The parts of pages that stand in every row of a table, made in Python: a macro takes several
times as long, and a list has hundreds of them."""

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape
from msgspec.json import encode

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.states import Status
from jobdeck.store.charts import Bar
from jobdeck.web import formats, status

_IN_DIALOG = 'hx-target="#dialog-body" hx-swap="innerHTML" hx-sync="#dialog-body:replace"'
_NOT_YET = Markup('<span class="quiet" aria-label="not yet">–</span>')
_NOT_BEGUN = Markup('<span class="quiet" aria-label="not begun">–</span>')
_TURNING = ("running", "stopping")


def time(at: Micros | None, now: Micros, style: str = "ago") -> Markup:
    """An instant: UTC as sent, in the reader's zone and relative once the script has run."""
    if at is None:
        return _NOT_YET
    return Markup(  # noqa: S704  (numbers and our own words)
        f'<time datetime="{clock.to_iso(at)}" data-style="{style}" title="{formats.exact(at)}">'
        f"{formats.short(at, now)}</time>"
    )


def lasting(since: Micros | None, until: Micros | None, now: Micros) -> Markup:
    """A duration that may still grow."""
    if since is None:
        return _NOT_BEGUN
    if until is not None:
        return Markup(formats.duration(max(until - since, 0) / SECOND))  # noqa: S704
    text = formats.duration((now - since) / SECOND)
    return Markup(f'<time data-since="{clock.to_iso(since)}">{text}</time>')  # noqa: S704


def pick(name: str, value: object, label: str, can: str = "") -> Markup:
    """The box that selects a row; `can` names the deeds that it allows."""
    return Markup(  # noqa: S704  (what is not ours is escaped)
        f'<input class="form-check-input" type="checkbox" name="{name}" value="{escape(value)}" '
        f'data-pick data-can="{can}" aria-label="Select {escape(label)}" autocomplete="off">'
    )


def trend(hours: Sequence[int], words: str) -> Markup:
    """A bar for each hour; its height is its share of the largest."""
    top, width = max(hours), len(hours) * 4
    bars = "".join(
        f'<rect x="{place * 4}" y="{20 - height:g}" width="3" height="{height:g}"/>'
        for place, n in enumerate(hours)
        if n and (height := max(round(20 * n / top, 1), 2))
    )
    total, most = formats.number(sum(hours)), formats.number(top)
    return Markup(  # noqa: S704
        f'<svg class="trend" viewBox="0 0 {width} 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{total} failures in the last {words}, at most {most} in an hour">'
        f'<rect class="trend-base" x="0" y="19.5" width="{width}" height="0.5"/>{bars}</svg>'
    )


def points(bars: Sequence[Bar]) -> str:
    """The bars for the script that draws them: seconds, and how many of each kind."""
    return encode([[bar.at // SECOND, *_counts(bar)] for bar in bars]).decode()


def point_rows(bars: Sequence[Bar]) -> Markup:
    """The same as rows of a table, without empty bars."""
    rows = (
        f'<tr><th scope="row">{formats.exact(bar.at)}</th>'
        f"{''.join(f'<td>{n}</td>' for n in _counts(bar))}</tr>"
        for bar in bars
        if any(_counts(bar))
    )
    return Markup("".join(rows))  # noqa: S704  (numbers alone)


def _counts(bar: Bar) -> tuple[int, int, int, int]:
    return bar.completed, bar.failed, bar.stopped, bar.open


class Cells:
    """Those with an icon, which `icon` draws."""

    def __init__(self, icon: Callable[..., Markup]) -> None:
        self._icon = icon

    def state(self, now: Status, stopping: str = "", large: bool = False) -> Markup:
        """The state of a job as a shape, a colour and a word."""
        look = status.badge(now, stopping)
        picture = self._icon(look.tone, "turning" if look.tone in _TURNING else "")
        size = " large" if large else ""
        return Markup(  # noqa: S704
            f'<span class="state tone-{look.tone}{size}">{picture}{look.word}</span>'
        )

    def opener(self, address: str, text: str, icon: str, css: str = "btn") -> Markup:
        """What opens a dialog; without script it is a link to a page with the same form."""
        to = escape(address)
        return Markup(  # noqa: S704
            f'<a class="{css}" href="{to}" hx-get="{to}" {_IN_DIALOG}>'
            f"{self._icon(icon)}{escape(text)}</a>"
        )

    def icon_opener(self, address: str, label: str, icon: str) -> Markup:
        """The same as an icon alone."""
        to, words = escape(address), escape(label)
        return Markup(  # noqa: S704
            f'<a class="icon-button" href="{to}" hx-get="{to}" {_IN_DIALOG} title="{words}" '
            f'aria-label="{words}">{self._icon(icon)}</a>'
        )

    def choice(self, address: str, text: str, icon: str, css: str = "") -> Markup:
        """A deed in a row's menu: an opener that leaves to the table (`in_dialog`) what all of
        them share."""
        to = escape(address)
        look = f' class="{css}"' if css else ""
        return Markup(  # noqa: S704
            f'<a{look} href="{to}" hx-get="{to}">{self._icon(icon)}{escape(text)}</a>'
        )
