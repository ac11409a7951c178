"""What the list of jobs shows, as its address says it: the text of a filter, an order, a place."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from msgspec import Struct, structs

from jobdeck.domain import filterterms, filtertext, filtervalues, numbers
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import JobFilter, check_sort
from jobdeck.domain.filterterms import Term
from jobdeck.domain.names import check_text
from jobdeck.domain.numbers import read_if_any
from jobdeck.web.render import AnyRequest

RANGES: Final = (
    ("1h", "Last hour"),
    ("6h", "Last 6 hours"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
)
_OPEN_MAX = 20
_SORTS_MAX = 3
_CREATED = ("created", "since", "until")
_PLAIN = ("pipeline", "flow", "queue", "parent", "schedule", "error")


class JobsQuery(Struct, frozen=True, kw_only=True, dict=True):
    """The filter's text, the order and the place of a list; each method gives another list's
    address. `open` are the parents whose children are shown."""

    q: str = ""
    sort: str = ""
    cursor: str = ""
    open: tuple[int, ...] = ()

    def pairs(self) -> dict[str, Any]:
        """As the query of an address."""
        return {name: value for name, value in structs.asdict(self).items() if value}

    def replacing(self, **values: Any) -> dict[str, Any]:
        """The first page of the same list with another filter or another order."""
        return structs.replace(self, **{"cursor": "", "open": (), **values}).pairs()

    @cached_property
    def terms(self) -> list[Term]:
        """The conditions; none where the text cannot be read."""
        try:
            return filterterms.split(self.q)
        except InvalidValue:
            return []

    def with_term(self, name: str, value: str) -> dict[str, Any]:
        """The same with this condition instead of others on the same."""
        kept = [term for term in self.terms if term.name not in _alike(name)]
        return self.replacing(q=filterterms.join([*kept, Term(name, value)]))

    def without(self, *names: str) -> dict[str, Any]:
        """The same without some of its conditions."""
        gone = {alike for name in names for alike in _alike(name)}
        return self.replacing(q=filterterms.join(t for t in self.terms if t.name not in gone))

    def without_term(self, gone: Term) -> dict[str, Any]:
        """The same without that one."""
        return self.replacing(q=filterterms.join(term for term in self.terms if term != gone))

    def value(self, name: str) -> str:
        """What a condition says, if there is just one on this."""
        found = [term for term in self.terms if term.name in _alike(name)]
        return found[0].value if len(found) == 1 and not found[0].negated else ""

    def turning(self, cursor: str) -> dict[str, Any]:
        """The page of that cursor."""
        return structs.replace(self, cursor=cursor, open=()).pairs()

    def toggling(self, parent: int) -> dict[str, Any]:
        """The same page with the children of that job shown, or hidden again."""
        known = [each for each in self.open if each != parent]
        opened = known if parent in self.open else [*known, parent]
        return structs.replace(self, open=tuple(opened[-_OPEN_MAX:])).pairs()

    @property
    def keys(self) -> list[str]:
        """What the list is sorted by, `-` before what is descending."""
        return self.sort.split(",") if self.sort else ["-id"]

    def direction(self, column: str) -> str:
        """How the list is sorted by that column: ascending, descending, or empty."""
        for key in self.keys:
            if key.removeprefix("-") == column:
                return "descending" if key.startswith("-") else "ascending"
        return ""

    def place(self, column: str) -> int:
        """Which of several columns that the list is sorted by this is; 0: none, or the only."""
        columns = [key.removeprefix("-") for key in self.keys]
        return columns.index(column) + 1 if len(columns) > 1 and column in columns else 0

    def sorted_by(self, column: str) -> dict[str, Any]:
        """The same sorted by that column, largest and newest first at the first click."""
        sort = column if self.direction(column) == "descending" else f"-{column}"
        return self.replacing(sort="" if sort == "-id" else sort)

    def also_sorted_by(self, column: str) -> dict[str, Any]:
        """The same sorted by that column after those by which it is already; of one of these,
        the other way round."""
        turned = f"{'' if self.direction(column) == 'descending' else '-'}{column}"
        if self.direction(column):
            keys = [turned if key.removeprefix("-") == column else key for key in self.keys]
        else:
            # Nothing comes after the number, by which no two jobs are alike.
            known = [key for key in self.keys if key.removeprefix("-") not in ("id", "created")]
            keys = [*known, turned][-_SORTS_MAX:]
        return self.replacing(sort="" if keys == ["-id"] else ",".join(keys))

    @property
    def order_words(self) -> str:
        """The order, for those who do not see it."""
        columns = [key.removeprefix("-") for key in self.keys]
        words = [f"{column}, {self.direction(column)}" for column in columns]
        return "sorted by " + "; then by ".join(words)

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that the filter names."""
        try:
            return tuple(
                filtertext.of_terms([t for t in self.terms if t.name == "status"], 0).status
            )
        except InvalidValue:
            return ()

    @property
    def chips(self) -> list[Term]:
        """The conditions that no other part of the page shows."""
        return [term for term in self.terms if term.name != "status"]

    @property
    def any(self) -> bool:
        """Whether anything narrows the list at all."""
        return bool(self.q or self.cursor)

    @property
    def parent(self) -> str:
        """The job whose children are listed."""
        return self.value("parent").replace("none", "")

    @property
    def number(self) -> int | None:
        """That of a job, if nothing else is searched for."""
        return numbers.of_job(self.value("")) if len(self.terms) == 1 else None

    @property
    def folds(self) -> bool:
        """Whether children stand under their parents: nothing asks for some of them."""
        return all(term.name in _CREATED for term in self.terms)

    def condition(self, now: Micros) -> JobFilter:
        """Which jobs are meant.

        Raises:
            InvalidValue: a condition cannot be read.
        """
        wanted = filtertext.parse(self.q, now)
        return structs.replace(wanted, roots=wanted.roots or self.folds)


def _alike(name: str) -> Sequence[str]:
    return _CREATED if name == "created" else (name,)


def read(request: AnyRequest) -> JobsQuery:
    """The query of a request. Conditions may also stand in parameters of their own, such as
    `status` and `created_after`; they replace what `q` says of the same.

    Raises:
        InvalidValue: names the part that cannot be understood.
    """
    given = request.query_params
    query = JobsQuery(
        q=check_text(" ".join(str(text) for text in given.getall("q", [])).strip(), "q"),
        sort=",".join(check_sort(str(given.get("sort", "")).split(","))),
        cursor=check_text(str(given.get("cursor", "")), "cursor"),
        open=tuple(
            number
            for text in given.getall("open", [])[-_OPEN_MAX:]
            if (number := read_if_any(text, "open")) is not None
        ),
    )
    own = [
        *_statuses(given.getall("status", [])),
        *(Term(name, str(given[name])) for name in _PLAIN if given.get(name)),
        *_created(given),
    ]
    if not own:
        return query
    replaced = {alike for term in own for alike in _alike(term.name)}
    kept = [term for term in query.terms if term.name not in replaced]
    return structs.replace(query, q=check_text(filterterms.join([*kept, *own]), "q"))


def _statuses(texts: Sequence[str]) -> list[Term]:
    named = ",".join(text for text in texts if text)
    return [Term("status", ",".join(filtertext.statuses(named)))] if named else []


def _created(given: Any) -> list[Term]:
    low, high = str(given.get("created_after", "")), str(given.get("created_before", ""))
    text = str(given.get("range", ""))
    if low or high:
        for name, value in (("created_after", low), ("created_before", high)):
            if value:
                filtervalues.moment(value, 0, name)
        return [Term("created", f"{low}..{high}")]
    return [Term("created", f">{text}")] if text and text != "custom" else []
