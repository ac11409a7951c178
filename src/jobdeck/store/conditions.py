"""A filter's conditions in SQL, as far as only the jobs' own rows can answer them."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import ANY, JobFilter, Range
from jobdeck.domain.states import CODES, FINAL, REASONS, Status
from jobdeck.store.values import clean, encode

_STANDS = "(SELECT {} FROM {} WHERE job_id = jobs.id)"
STARTED = (
    "CASE WHEN jobs.status <> 0 THEN jobs.started_at ELSE "
    f"{_STANDS.format('begun_at', 'running')} END"
)
_BEGUN = "attempt - CASE WHEN begun_at IS NULL THEN 1 ELSE 0 END"
_ATTEMPT = (
    "CASE WHEN jobs.status <> 0 THEN jobs.attempt ELSE coalesce("
    f"{_STANDS.format(_BEGUN, 'running')}, {_STANDS.format('attempt - 1', 'delayed')}, "
    f"{_STANDS.format('attempt - 1', 'ready')}, 0) END"
)
_BY = (
    "CASE WHEN jobs.status <> 0 THEN jobs.{0} ELSE (SELECT {0} FROM running "
    "WHERE job_id = jobs.id AND begun_at IS NOT NULL) END"
)
DURATION = f"coalesce(jobs.finished_at, :now) - {STARTED}"
_SCALAR = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false|null")

PLAIN = "C"
"""PostgreSQL looks for plain letters, large or small, in half the time without the rules of a
language."""

Binds = dict[str, Any]


def statuses(wanted: JobFilter) -> set[Status] | None:
    """The statuses that jobs which are meant can have; empty: all, None: none."""
    named = set(wanted.status) if len(set(wanted.status)) < len(Status) else set()
    meant = {REASONS[reason].status for reason in wanted.reason}
    if wanted.error or (meant and Status.COMPLETED not in meant):
        possible = {Status.FAILED, Status.STOPPED}
    elif meant == {Status.COMPLETED}:
        possible = meant
    else:
        return named
    return (named & possible or None) if named else possible


def own(conn: Connection, wanted: JobFilter, now: Micros, binds: Binds) -> list[str]:
    """All conditions but those on the status, the flow and the queue."""
    made: list[str] = []
    if wanted.created_after is not None:
        made.append("jobs.created_at >= :created_after")
        binds["created_after"] = wanted.created_after
    if wanted.created_before is not None:
        made.append("jobs.created_at < :created_before")
        binds["created_before"] = wanted.created_before
    if wanted.roots:
        made.append("jobs.parent_id IS NULL")
    made += _within(STARTED, wanted.started, "started", binds, below="<")
    made += _within("jobs.finished_at", wanted.finished, "finished", binds, below="<")
    made += _within("jobs.priority", wanted.priority, "priority", binds)
    made += _within(_ATTEMPT, wanted.attempt, "attempt", binds)
    if wanted.duration != ANY:
        binds["now"] = now
        made += _within(DURATION, wanted.duration, "duration", binds)
    for column, name in (("pool_id", "pool"), ("worker_id", "worker")):
        value = getattr(wanted, name)
        if value is not None:
            made.append(f"{_BY.format(column)} = :{name}")
            binds[name] = value
    for name in ("reason", "source"):
        values: tuple[str, ...] = getattr(wanted, name)
        if values:
            made.append(f"jobs.{name} IN :{name}")
            binds[name] = [str(value) for value in values]
    if wanted.error:
        made.append(_holds(conn, ("error", "message"), "error_text", wanted.error, binds))
    if wanted.q:
        made.append(_holds(conn, ("params", "message", "error"), "q", wanted.q, binds))
    for place, (name, text) in enumerate(wanted.params):
        made.append(_param(conn, place, name, text, binds))
    return made


def _within(
    column: str, span: Range, name: str, binds: Binds, *, below: str = "<="
) -> Iterable[str]:
    low, high = span
    if low is not None:
        binds[f"{name}_low"] = low
        yield f"{column} >= :{name}_low"
    if high is not None:
        binds[f"{name}_high"] = high
        yield f"{column} {below} :{name}_high"


def _holds(conn: Connection, columns: tuple[str, ...], name: str, text: str, binds: Binds) -> str:
    """The text occurs in one of the columns, in JSON perhaps as JSON writes it."""
    like = "LIKE"
    if conn.dialect.name != "sqlite":
        like = f'COLLATE "{PLAIN}" ILIKE' if text.isascii() else "ILIKE"
    patterns = {name: pattern(clean(text))}
    escaped = encode(clean(text))[1:-1]
    if escaped != clean(text):
        patterns[f"{name}_json"] = pattern(escaped)
    binds.update(patterns)
    fits = [f"jobs.{column} {like} :{each} ESCAPE '!'" for column in columns for each in patterns]
    return f"({' OR '.join(fits)})"


def pattern(text: str) -> str:
    """For LIKE with `!` as its escape: the text stands anywhere."""
    for character in "!%_":
        text = text.replace(character, f"!{character}")
    return f"%{text}%"


def _param(conn: Connection, place: int, name: str, text: str, binds: Binds) -> str:
    """That parameter has the value. Looking for its text first spares reading most of the JSON,
    which the store writes without blanks."""
    path = [encode(part) for part in clean(name).split(".")]
    values = [encode(clean(text)), *([text] if _SCALAR.fullmatch(text) else [])]
    needles = {f"needle_{place}_{i}": f"{path[-1]}:{value}" for i, value in enumerate(values)}
    binds.update(needles)
    binds[f"values_{place}"] = values
    if conn.dialect.name == "sqlite":
        find, value = "instr", f"jobs.params -> :path_{place}"
        binds[f"path_{place}"] = f"$.{'.'.join(path)}"
    else:
        find = "strpos"
        value = f"CAST(CAST(jobs.params AS json) #> CAST(:path_{place} AS text[]) AS text)"
        binds[f"path_{place}"] = f"{{{','.join(path)}}}"
    near = " OR ".join(f"{find}(jobs.params, :{needle}) > 0" for needle in needles)
    return f"CASE WHEN {near} THEN ({value}) IN :values_{place} ELSE 1 = 0 END"


def has_status(wanted: Iterable[Status]) -> str:
    """The job has one of these statuses."""
    return f"({' OR '.join(_has_status(wanted))})"


def _has_status(wanted: Iterable[Status]) -> Iterable[str]:
    standing = "jobs.status = 0 AND EXISTS (SELECT 1 FROM {0} WHERE {0}.job_id = jobs.id{1})"
    for status in sorted(wanted):
        if status in FINAL:
            yield f"jobs.status = {int(CODES[status])}"
        elif status == Status.PENDING:
            yield standing.format("ready", "")
            yield standing.format("running", " AND running.begun_at IS NULL")
        elif status == Status.RUNNING:
            yield standing.format("running", " AND running.begun_at IS NOT NULL")
        else:
            yield standing.format("delayed", f" AND delayed.status = {int(CODES[status])}")
