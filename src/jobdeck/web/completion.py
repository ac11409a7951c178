"""What may come next in the text of a filter, from what the store really holds."""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection, select

from jobdeck.domain import filterterms, filtertext, numbers
from jobdeck.domain.states import REASONS, Status
from jobdeck.store import flows, jobs, params, pipelines, queues
from jobdeck.store.tables import error_groups

MOST = 12
_TIMES = (
    (">1h", "within the last hour"),
    (">24h", "within the last 24 hours"),
    (">7d", "within the last 7 days"),
    (">30d", "within the last 30 days"),
)
_EXAMPLES = {
    **dict.fromkeys(("created", "started", "finished"), _TIMES),
    "duration": (
        (">10s", "10 seconds or more"),
        (">1m", "a minute or more"),
        (">1h", "an hour or more"),
    ),
    "attempt": ((">1", "tried again"),),
    "priority": ((">0", "above the usual"), ("<0", "below the usual")),
    "source": (
        ("manual", "from a page"),
        ("api", "by REST"),
        ("sdk", "from Python"),
        ("schedule", "by a schedule"),
        ("flow", "after another flow"),
    ),
    "parent": (("none", "no children of others"),),
}


class Option(Struct, frozen=True, kw_only=True):
    """Something that may come next. `text` is the whole filter with it, `caret` where writing
    goes on."""

    label: str
    about: str
    text: str
    caret: int


def options(conn: Connection, text: str, at: int) -> list[Option]:
    """What fits where the caret stands, `at` so many characters."""
    at = min(max(at, 0), len(text))
    begin = _begin(text, at)
    word = text[begin:at]
    rest = text[at:]
    minus = "-" if word.startswith("-") else ""
    name, colon, value = word.removeprefix("-").partition(":")
    found: Iterable[tuple[str, str, str]]
    if colon:
        head, comma, last = value.rpartition(",")
        found = (
            (part, about, f"{minus}{name}:{head}{comma}{_written(part)} ")
            for part, about in _values(conn, name, last.strip('"'))
        )
    elif (number := numbers.of_job(word)) is not None:
        known = jobs.load(conn, [number])
        found = ((f"Job {j.id}", f"of {j.flow}, {j.status}", f"id:{j.id} ") for j in known)
    else:
        found = ((f"{n}:", about, f"{minus}{n}:") for n, about in _names(conn, name.lower()))
    made = []
    for label, about, new in found:
        tail = rest.lstrip() if new.endswith(" ") else rest
        made.append(
            Option(label=label, about=about, text=text[:begin] + new + tail, caret=begin + len(new))
        )
        if len(made) == MOST:
            break
    return made


def _begin(text: str, at: int) -> int:
    """Where the word begins in which the caret stands; blanks in quotes part none."""
    begin, quoting = 0, False
    for place, character in enumerate(text[:at]):
        if character == '"':
            quoting = not quoting
        elif character == " " and not quoting:
            begin = place + 1
    return begin


def _written(value: str) -> str:
    plain = value and not any(c.isspace() or c in '"\\,' for c in value)
    return value if plain else filterterms.quoted(value)


def _names(conn: Connection, beginning: str) -> Iterable[tuple[str, str]]:
    for name, told in filtertext.NAMES.items():
        if name == "params":
            if beginning.startswith("params.") or ("params".startswith(beginning) and beginning):
                for each in params.names(conn):
                    if f"params.{each}".lower().startswith(beginning):
                        yield f"params.{each}", "a parameter"
        elif name.startswith(beginning) and name not in ("since", "until"):
            yield name, f"{told.about}, such as {told.example}"


def _values(conn: Connection, name: str, beginning: str) -> Iterable[tuple[str, str]]:
    return (
        (value, about)
        for value, about in _every_value(conn, name, beginning)
        if value.lower().startswith(beginning.lower()) and value != beginning
    )


def _every_value(conn: Connection, name: str, beginning: str) -> Iterable[tuple[str, str]]:
    if name.startswith("params."):
        own = name.removeprefix("params.")
        return [(each, "") for each in params.suggest(conn, own, beginning)]
    name = name.lower()
    if name == "status":
        return [*((s.value, "") for s in Status), *((w, "several") for w in filtertext.GROUPS)]
    if name == "pipeline":
        return [(each, "") for each in pipelines.names(conn)]
    if name == "flow":
        return [(each, f"of {pipeline}") for _, each, pipeline in flows.known(conn)]
    if name == "queue":
        return [(each, "") for each in sorted(queues.ids(conn))]
    if name == "reason":
        return [(reason.value, rule.meaning) for reason, rule in REASONS.items()]
    if name == "error":
        newest = error_groups.c.last_at.desc()
        types = select(error_groups.c.type).order_by(newest, error_groups.c.id.desc()).limit(100)
        return [(each, "") for each in dict.fromkeys(conn.execute(types).scalars()) if each]
    return _EXAMPLES.get(name, ())
