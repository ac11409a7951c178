"""What the list of jobs shows, as its address says it."""

from typing import Any, Final

from msgspec import Struct, structs

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import SORTS, JobFilter
from jobdeck.domain.states import Status
from jobdeck.web.render import AnyRequest

RANGES: Final = (
    ("1h", "Last hour"),
    ("6h", "Last 6 hours"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
)
_BACK_MAX = 40
_OPEN_MAX = 20


class JobsQuery(Struct, frozen=True, kw_only=True):
    """The conditions, order and place of a list; each method gives another list's address.

    `back` holds the cursors of the pages before this one, `open` the parents whose children are
    shown. The dates are UTC, as they were written.
    """

    status: tuple[str, ...] = ()
    pipeline: str = ""
    flow: str = ""
    queue: str = ""
    q: str = ""
    range: str = ""
    created_after: str = ""
    created_before: str = ""
    parent: int | None = None
    sort: str = ""
    cursor: str = ""
    back: tuple[str, ...] = ()
    open: tuple[int, ...] = ()

    def pairs(self) -> dict[str, Any]:
        """As the query of an address."""
        return {name: value for name, value in structs.asdict(self).items() if value}

    def replacing(self, **values: Any) -> dict[str, Any]:
        """The first page of the same list with other conditions or another order."""
        return structs.replace(self, **{"cursor": "", "back": (), "open": (), **values}).pairs()

    def without(self, *names: str) -> dict[str, Any]:
        """The same without some of its conditions, from the first page on."""
        plain = JobsQuery()
        return self.replacing(**{name: getattr(plain, name) for name in names})

    def older(self, cursor: str) -> dict[str, Any]:
        """The page that follows."""
        back = (*self.back, self.cursor or "0")[-_BACK_MAX:]
        return structs.replace(self, cursor=cursor, back=back, open=()).pairs()

    def newer(self) -> dict[str, Any]:
        """The page before this one; the first one where that is not known."""
        cursor = self.back[-1] if self.back else "0"
        return structs.replace(
            self, cursor="" if cursor == "0" else cursor, back=self.back[:-1], open=()
        ).pairs()

    def toggling(self, parent: int) -> dict[str, Any]:
        """The same page with the children of that job shown, or hidden again."""
        known = [each for each in self.open if each != parent]
        opened = known if parent in self.open else [*known, parent]
        return structs.replace(self, open=tuple(opened[-_OPEN_MAX:])).pairs()

    def direction(self, column: str) -> str:
        """How the list is sorted by that column: ascending, descending, or empty."""
        if (self.sort or "-id").removeprefix("-") != column:
            return ""
        return "descending" if (self.sort or "-id").startswith("-") else "ascending"

    def sorted_by(self, column: str) -> dict[str, Any]:
        """The same sorted by that column, largest and newest first at the first click."""
        sort = column if self.direction(column) == "descending" else f"-{column}"
        return self.replacing(sort="" if sort == "-id" else sort)

    @property
    def order_words(self) -> str:
        """The order, for those who do not see it."""
        sort = self.sort or "-id"
        way = "descending" if sort.startswith("-") else "ascending"
        return f"sorted by {sort.removeprefix('-')}, {way}"

    @property
    def narrowed(self) -> int:
        """How many conditions are set beside the status."""
        return sum(bool(v) for v in (self.pipeline, self.flow, self.queue, self.q, self.range))

    @property
    def any(self) -> bool:
        """Whether anything narrows the list at all."""
        return bool(self.narrowed or self.status or self.parent or self.cursor)

    @property
    def counted(self) -> bool:
        """Whether the counters can tell how many jobs of each status there are."""
        return not (self.q or self.range or self.parent) and (
            sum(map(bool, (self.pipeline, self.flow, self.queue))) <= 1
        )

    @property
    def folds(self) -> bool:
        """Whether children stand under their parents: nothing asks for some of them."""
        return not (self.status or self.pipeline or self.flow or self.queue or self.q) and (
            self.parent is None
        )

    def condition(self, now: Micros) -> JobFilter:
        """Which jobs are meant.

        Raises:
            InvalidValue: a date cannot be read.
        """
        after, before = self._between(now)
        return JobFilter(
            status=tuple(Status(status) for status in self.status),
            pipeline=self.pipeline,
            flow=self.flow,
            queue=self.queue,
            q=self.q,
            created_after=after,
            created_before=before,
            parent=self.parent,
            roots=self.folds,
        )

    def _between(self, now: Micros) -> tuple[Micros | None, Micros | None]:
        if self.range == "custom":
            return (
                clock.from_iso(self.created_after, "created_after") if self.created_after else None,
                clock.from_iso(self.created_before, "created_before")
                if self.created_before
                else None,
            )
        seconds = clock.parse_duration(self.range, "range") if self.range else None
        return (now - round(seconds * SECOND), None) if seconds else (None, None)


def read(request: AnyRequest) -> JobsQuery:
    """The query of a request.

    Raises:
        InvalidValue: names the condition that cannot be understood.
    """
    given = request.query_params
    dates = {name: str(given.get(name, "")) for name in ("created_after", "created_before")}
    range_ = str(given.get("range", "")) or ("custom" if any(dates.values()) else "")
    query = JobsQuery(
        status=tuple(dict.fromkeys(_status(text) for text in given.getall("status", []) if text)),
        **{name: _text(str(given.get(name, "")), name) for name in ("pipeline", "flow", "queue")},
        q=_text(str(given.get("q", "")).strip(), "q"),
        range=range_,
        **(dates if range_ == "custom" else {}),
        parent=_number(str(given.get("parent", "")), "parent"),
        sort=_sort(str(given.get("sort", ""))),
        cursor=_text(str(given.get("cursor", "")), "cursor"),
        back=tuple(given.getall("back", []))[-_BACK_MAX:],
        open=tuple(
            number
            for text in given.getall("open", [])[-_OPEN_MAX:]
            if (number := _number(text, "open")) is not None
        ),
    )
    if range_ not in ("", "custom", *(value for value, _ in RANGES)):
        known = ", ".join(value for value, _ in RANGES)
        raise InvalidValue("range", f"{range_!r} is none of {known} and custom")
    return query


def _status(text: str) -> str:
    try:
        return Status(text).value
    except ValueError:
        known = ", ".join(status.value for status in Status)
        raise InvalidValue("status", f"{text!r} is none of {known}") from None


def _sort(text: str) -> str:
    for column in filter(None, text.split(",")):
        if column.removeprefix("-") not in SORTS:
            raise InvalidValue("sort", f"{column!r} is none of {', '.join(SORTS)}")
    return text


def _number(text: str, name: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidValue(name, f"{text!r} is not a number")
    return int(text)


def _text(text: str, name: str) -> str:
    if "\0" in text:
        raise InvalidValue(name, "holds a NUL character; remove it")
    return text
