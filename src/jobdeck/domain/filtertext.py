"""The text of a filter, as people write it: `status:failed,stopped flow:load created:>2h`."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from jobdeck.domain import filterterms, filtervalues
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import ANY, JobFilter, names
from jobdeck.domain.filterterms import Term
from jobdeck.domain.names import check_text
from jobdeck.domain.numbers import must_read
from jobdeck.domain.states import FINAL, Reason, Status

ENDED = tuple(status for status in Status if status in FINAL)
OPEN = tuple(status for status in Status if status not in FINAL)
GROUPS = {"ended": ENDED, "open": OPEN}
"""Words that stand for several statuses."""


class Name(NamedTuple):
    """A name that a condition may have: what it is about, and how its value is written."""

    about: str
    example: str


NAMES: dict[str, Name] = {
    "status": Name("one status or several; also open, ended", "status:failed,stopped"),
    "pipeline": Name("one pipeline or several", "pipeline:weather"),
    "flow": Name("one flow or several", "flow:weather-coast"),
    "queue": Name("one queue or several", "queue:etl"),
    "created": Name("when it was created", "created:>2d"),
    "started": Name("when its first attempt began", "started:>2026-11-01"),
    "finished": Name("when it ended", "finished:2026-11-01..2026-11-05"),
    "duration": Name("from its start to its end, or until now", "duration:>1m"),
    "params": Name("the value of a parameter", "params.city:Delft"),
    "reason": Name("why it is in its status", "reason:timeout"),
    "error": Name("text in its error, or the number of an error group", "error:ConnectionError"),
    "attempt": Name("the number of its attempt", "attempt:>1"),
    "priority": Name("its priority", "priority:>=5"),
    "source": Name("where it came from", "source:schedule"),
    "worker": Name("the worker that ran it", "worker:3"),
    "pool": Name("the pool that ran it", "pool:1"),
    "parent": Name("the job whose child it is; none: no children", "parent:7"),
    "schedule": Name("the schedule that created it", "schedule:2"),
    "id": Name("its number", "id:100..200"),
    "since": Name("created since then", "since:2h"),
    "until": Name("created before then", "until:2026-11-05"),
}
_NAMED = ("pipeline", "flow", "queue")
_NEGATED = ("status", *_NAMED)
_TIMES = ("created", "since", "until", "started", "finished")
_WHOLE = ("attempt", "priority", "id")
_RANGES = {"duration": filtervalues.durations, **dict.fromkeys(_WHOLE, filtervalues.numbers)}


def parse(text: str, now: Micros) -> JobFilter:
    """The filter that a text describes; words without a name are searched for (`q`).

    Values with blanks are quoted: `flow:"load all"`. Times are UTC, or a duration before `now`.

    Raises:
        InvalidValue: a name or value that does not exist; the error names it.
    """
    return of_terms(filterterms.split(check_text(text, "filter")), now)


def of_terms(terms: Iterable[Term], now: Micros) -> JobFilter:
    """The filter that these terms make.

    Raises:
        InvalidValue: as `parse`.
    """
    values: dict[str, Any] = {}
    for term in terms:
        _add(values, term, now)
    return JobFilter(**values)


def _add(values: dict[str, Any], term: Term, now: Micros) -> None:
    name, text = term.name, term.value
    if not name:
        values["q"] = text
        return
    known = "params" if name.startswith("params.") else name
    if known not in NAMES or name == "params":
        raise InvalidValue(
            "filter",
            f"there is no {name!r} to filter by; there are: {', '.join(NAMES)}. Put text that "
            f"is searched for in quotes: {filterterms.quoted(f'{name}:{text}')}",
        )
    if not text:
        raise InvalidValue(name, f"has no value; write {NAMES[known].example}")
    if term.negated and name not in _NEGATED:
        raise InvalidValue(name, f"cannot be excluded; only {', '.join(_NEGATED)} can")
    if known == "params":
        values["params"] = (*values.get("params", ()), (name.removeprefix("params."), text))
    elif name == "status":
        _add_status(values, text, term.negated)
    elif name in _NAMED:
        values[name] = _names(values.get(name, ""), text, name, term.negated)
    elif name in _TIMES:
        _add_times(values, name, text, now)
    elif name in _RANGES:
        found = _RANGES[name](text, name)
        values[name] = filtervalues.narrower(values.get(name, ANY), found)
    else:
        _add_one(values, name, text)


def _add_times(values: dict[str, Any], name: str, text: str, now: Micros) -> None:
    if name in ("started", "finished"):
        found = filtervalues.times(text, name, now)
        values[name] = filtervalues.narrower(values.get(name, ANY), found)
        return
    if name == "created":
        new = filtervalues.times(text, name, now)
    else:
        at = filtervalues.moment(text, now, name)
        new = (at, None) if name == "since" else (None, at)
    before = values.get("created_after"), values.get("created_before")
    values["created_after"], values["created_before"] = filtervalues.narrower(before, new)


def _add_one(values: dict[str, Any], name: str, text: str) -> None:
    if name == "parent" and text.lower() == "none":
        values["roots"] = True
    elif name == "error" and not (text.isascii() and text.isdecimal()):
        values["error"] = text
    elif name in ("reason", "source"):
        found = _reasons(text) if name == "reason" else _list(text, name)
        values[name] = tuple(dict.fromkeys((*values.get(name, ()), *found)))
    else:
        values["error_group" if name == "error" else name] = must_read(text, name)


def _add_status(values: dict[str, Any], text: str, negated: bool) -> None:
    named = statuses(text)
    before = values.get("status", ())
    if negated:
        values["status"] = tuple(s for s in (before or Status) if s not in named)
        if not values["status"]:
            raise InvalidValue("status", "no status is left, so no job can match")
    else:
        values["status"] = tuple(dict.fromkeys((*before, *named)))


def _list(text: str, name: str) -> list[str]:
    found = [part for part in text.split(",") if part]
    if not found:
        raise InvalidValue(name, f"{text!r} names nothing; write {NAMES[name].example}")
    return found


def _names(before: str, text: str, name: str, negated: bool) -> str:
    new = _list(text, name)
    if new[0].startswith("-"):
        raise InvalidValue(name, f"{text!r} is no name; to exclude it write -{name}:{text[1:]}")
    known, others = names(before)
    if known and others != negated:
        raise InvalidValue(name, f"name those that are meant or those that are not (-{name}:)")
    return ("-" if negated else "") + ",".join(dict.fromkeys((*known, *new)))


def statuses(text: str) -> tuple[Status, ...]:
    """The statuses of a list such as `failed,stopped`.

    Raises:
        InvalidValue: one of them is none.
    """
    found: list[Status] = []
    for part in text.split(","):
        word = part.strip().lower()
        if word in GROUPS:
            found += GROUPS[word]
            continue
        try:
            found.append(Status(word))
        except ValueError:
            known = ", ".join((*Status, *GROUPS))
            raise InvalidValue("status", f"{part!r} is not a status; there are: {known}") from None
    return tuple(dict.fromkeys(found))


def _reasons(text: str) -> Iterable[Reason]:
    for part in _list(text, "reason"):
        try:
            yield Reason(part.strip().lower())
        except ValueError:
            known = ", ".join(Reason)
            raise InvalidValue("reason", f"{part!r} is not a reason; there are: {known}") from None


def format(wanted: JobFilter) -> str:  # noqa: A001
    """The text that `parse` reads as this filter."""
    return filterterms.join(terms_of(wanted))


def terms_of(wanted: JobFilter) -> list[Term]:
    """The terms of a filter."""
    created = filtervalues.times_text((wanted.created_after, wanted.created_before))
    told: list[tuple[str, object]] = [
        ("status", ",".join(wanted.status)),
        *((name, getattr(wanted, name)) for name in _NAMED),
        ("created", created),
        ("started", filtervalues.times_text(wanted.started)),
        ("finished", filtervalues.times_text(wanted.finished)),
        ("duration", filtervalues.durations_text(wanted.duration)),
        *((f"params.{name}", text) for name, text in wanted.params),
        ("reason", ",".join(wanted.reason)),
        ("error", wanted.error),
        ("error", wanted.error_group),
        *((name, filtervalues.numbers_text(getattr(wanted, name))) for name in _WHOLE),
        ("source", ",".join(wanted.source)),
        *((name, getattr(wanted, name)) for name in ("worker", "pool", "parent", "schedule")),
        ("parent", "none" if wanted.roots else ""),
        ("", wanted.q),
    ]
    found = []
    for name, value in told:
        text = "" if value is None else str(value)
        if text:
            others = name in _NAMED and text.startswith("-")
            found.append(Term(name, text.removeprefix("-") if others else text, others))
    return found
