"""An index of the parameters that pipelines ask to be found by, made behind the pools' backs:
creating a job costs nothing, and jobs that were there before are found as well."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from jobdeck.store.pipelines import decode_manifest
from jobdeck.store.rows import insert_new_rows
from jobdeck.store.tables import flows, job_params, jobs, pipelines, searched, versions
from jobdeck.store.values import clean, decode, encode, insert_into

VALUE_MAX = 200
"""Longer values are left out."""

STEP = 5_000
"""So many numbers of jobs are taken in at once."""

SUGGESTIONS = 12


class Coverage(NamedTuple):
    """The index holds all jobs of these flows from number `low` to `high` that have the value."""

    name: str
    value: str
    flow_ids: list[int]
    low: int
    high: int


def coverage(
    conn: Connection, wanted: Sequence[tuple[str, str]], flow_ids: Sequence[int] | None
) -> Coverage | None:
    """What the index knows of the first of the parameters that it has; None: of none."""
    for name, value in wanted:
        if len(value) > VALUE_MAX:
            continue
        query = select(searched.c.low, searched.c.high, flows.c.id)
        query = query.join(flows, flows.c.pipeline_id == searched.c.pipeline_id)
        rows = conn.execute(query.where(searched.c.name == name)).fetchall()
        rows = [row for row in rows if flow_ids is None or row.id in flow_ids]
        if rows:
            low, high = max(row.low for row in rows), min(row.high for row in rows)
            if low <= high:
                return Coverage(name, clean(value), sorted(row.id for row in rows), low, high)
    return None


def declare(conn: Connection, newest: int) -> None:
    """Begin to index what the pipelines ask for now, and forget what they do not any more."""
    query = select(pipelines.c.id, versions.c.manifest).join(
        versions,
        (versions.c.pipeline_id == pipelines.c.id)
        & (versions.c.version == pipelines.c.current_version),
    )
    wanted = {(row.id, name) for row in conn.execute(query) for name in _asked(row.manifest)}
    known = {(row.pipeline_id, row.name) for row in conn.execute(select(searched))}
    for pipeline_id, name in sorted(known - wanted):
        conn.execute(delete(searched).where(_is(pipeline_id, name)))
    for pipeline_id, name in sorted(wanted - known):
        new = {"pipeline_id": pipeline_id, "name": name, "low": newest + 1, "high": newest}
        conn.execute(insert_into(conn, searched).values(**new).on_conflict_do_nothing())


def _asked(manifest: str) -> list[str]:
    return decode_manifest(manifest).search if '"search":[' in manifest else []


def _is(pipeline_id: int, name: str) -> Any:
    return (searched.c.pipeline_id == pipeline_id) & (searched.c.name == name)


def due(conn: Connection, settled: int) -> bool:
    """Whether there are jobs to be taken in."""
    behind = (searched.c.low > 1) | (searched.c.high < settled)
    return conn.execute(select(searched.c.name).where(behind).limit(1)).first() is not None


def advance(conn: Connection, settled: int) -> bool:
    """Take in some more jobs, the newest first, up to the number `settled`: below it no job is
    still to appear. Whether there are more to be taken in."""
    more = False
    for row in conn.execute(select(searched).order_by(searched.c.pipeline_id)).fetchall():
        low, high = row.low, row.high
        if high < settled:
            begin, end = high + 1, min(high + STEP, settled)
            high = end
        elif low > 1:
            begin, end = max(low - STEP, 1), low - 1
            low = begin
        else:
            continue
        _take_in(conn, row.pipeline_id, row.name, begin, end)
        values = {"low": low, "high": high}
        conn.execute(update(searched).where(_is(row.pipeline_id, row.name)).values(**values))
        more = more or low > 1 or high < settled
    return more


def _take_in(conn: Connection, pipeline_id: int, name: str, begin: int, end: int) -> None:
    flow_ids = list(
        conn.execute(select(flows.c.id).where(flows.c.pipeline_id == pipeline_id)).scalars()
    )
    query = select(jobs.c.id, jobs.c.flow_id, jobs.c.params).where(
        jobs.c.flow_id.in_(flow_ids), jobs.c.id.between(begin, end)
    )
    rows = []
    for row in conn.execute(query):
        value = text_of(_at(decode(row.params), name))
        if value is not None and len(value) <= VALUE_MAX:
            rows.append((name, clean(value), row.flow_id, row.id))
    insert_new_rows(conn, job_params, ("name", "value", "flow_id", "job_id"), rows)


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def text_of(value: Any) -> str | None:
    """How a filter names the value; None: it has no name, being a list or an object, or none."""
    if isinstance(value, str):
        return value
    return None if value is None or isinstance(value, list | dict) else encode(value)


def suggest(conn: Connection, name: str, beginning: str) -> list[str]:
    """Some of the values of an indexed parameter that begin like this, in order."""
    found: list[str] = []
    query = (
        select(job_params.c.value)
        .where(job_params.c.name == name, job_params.c.value >= beginning)
        .order_by(job_params.c.value)
        .limit(1)
    )
    after = None
    while len(found) < SUGGESTIONS:
        # From value to value: each may have a million jobs.
        step = query if after is None else query.where(job_params.c.value > after)
        value: str | None = conn.execute(step).scalar()
        if value is None or not value.startswith(beginning):
            break
        found.append(value)
        after = value
    return found


_KEY = re.compile(r"[^\s:\"]+")


def names(conn: Connection) -> list[str]:
    """The parameters that pipelines take, by the schemas of their current versions."""
    query = select(versions.c.manifest).join(
        pipelines,
        (versions.c.pipeline_id == pipelines.c.id)
        & (versions.c.version == pipelines.c.current_version),
    )
    found: set[str] = set()
    for text in conn.execute(query.where(pipelines.c.removed_at.is_(None))).scalars():
        found.update(decode_manifest(text).params_schema.get("properties", {}))
    return sorted(name for name in found if _KEY.fullmatch(name))
