"""Failures gathered by what they have in common, counted in the transaction that records them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, case, delete, or_, select, tuple_, update

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.filters import PAGE, PAGE_MAX, ROWS_MAX, Page
from jobdeck.domain.fingerprint import READ_CHARS, Fingerprint, fingerprint
from jobdeck.domain.records import ErrorGroup
from jobdeck.store import cursors
from jobdeck.store.rows import among
from jobdeck.store.tables import error_flows, error_groups, error_hours, flows, unsuccessful
from jobdeck.store.values import AnyRow, clean, decode_error, insert_into, is_number

STATES = ("open", "resolved", "muted")
"""What the list can be narrowed to; one that was opened again is open."""

HOUR = 3600 * SECOND
LIST_HOURS = 24
KEEP_HOURS = 31 * 24
"""The failures of each hour are kept for so many hours."""

AT_ONCE = 500
"""Groups that are forgotten in one transaction."""

NEWEST = "-last"
SORTS = {"last": "last_at", "first": "first_at", "failures": "failures", "jobs": "jobs"}
"""What the list can be sorted by, and the column of each."""

_g = error_groups.c


class Failure(NamedTuple):
    """A job that has failed for good. `error` is the JSON of a `JobError`, if there is one."""

    job_id: int
    flow_id: int
    at: Micros
    reason: str
    message: str
    error: str | None


def record(conn: Connection, failures: Sequence[Failure]) -> dict[int, int]:
    """Count the failures and give the number of the group of each job.

    A group that was resolved is open again.
    """
    names = _names(conn, {failure.flow_id for failure in failures})
    alike: dict[Fingerprint, list[Failure]] = defaultdict(list)
    for each in failures:
        told = fingerprint(
            each.reason, each.message, decode_error(each.error), names.get(each.flow_id, "")
        )
        alike[told].append(each)
    groups: dict[int, int] = {}
    # Always in the same order, so that two writers never wait for each other in a circle.
    for told, those in sorted(alike.items()):
        group_id = _count(conn, told, those)
        groups |= {each.job_id: group_id for each in those}
    return groups


def _names(conn: Connection, flow_ids: Iterable[int]) -> dict[int, str]:
    query = select(flows.c.id, flows.c.name).where(flows.c.id.in_(list(flow_ids)))
    return {row.id: row.name for row in conn.execute(query)}


def _count(conn: Connection, told: Fingerprint, those: Sequence[Failure]) -> int:
    n, newest = len(those), max(those, key=lambda each: (each.at, each.job_id))
    error = decode_error(newest.error)
    changed: dict[str, Any] = {
        "failures": _g.failures + n,
        "jobs": _g.jobs + n,
        "last_at": case((_g.last_at > newest.at, _g.last_at), else_=newest.at),
        "last_job_id": newest.job_id,
        "example": clean((error.message if error else newest.message)[:READ_CHARS]),
        "reopened_at": case((_g.resolved_at.is_not(None), newest.at), else_=_g.reopened_at),
        "resolved_at": None,
    }
    statement = update(error_groups).where(_g.fingerprint == told.digest).values(changed)
    group_id = conn.execute(statement.returning(_g.id)).scalar()
    if group_id is None:
        new = {
            "fingerprint": told.digest,
            "type": clean(told.type),
            "place": clean(told.place),
            "message": clean(told.message),
            "example": changed["example"],
            "failures": n,
            "jobs": n,
            "first_at": min(each.at for each in those),
            "last_at": newest.at,
            "last_job_id": newest.job_id,
        }
        # Another pool may have met it in the same moment.
        insert = insert_into(conn, error_groups).values(new)
        upsert = insert.on_conflict_do_update(index_elements=[_g.fingerprint], set_=changed)
        group_id = conn.execute(upsert.returning(_g.id)).scalar_one()
    hours = Counter(each.at // HOUR * HOUR for each in those)
    _add(conn, error_hours, group_id, "hour", hours)
    _add(conn, error_flows, group_id, "flow_id", Counter(each.flow_id for each in those))
    return int(group_id)


def _add(conn: Connection, table: Table, group_id: int, key: str, counted: "Counter[int]") -> None:
    rows = [{"group_id": group_id, key: value, "n": n} for value, n in sorted(counted.items())]
    insert = insert_into(conn, table)
    statement = insert.on_conflict_do_update(
        index_elements=[table.c.group_id, table.c[key]], set_={"n": table.c.n + insert.excluded.n}
    )
    conn.execute(statement, rows)


def leave(conn: Connection, job_ids: Sequence[int], *, deleted: bool = False) -> None:
    """The jobs do not stand unsuccessful any more: they are tried again, or `deleted`, which
    takes their failures from the counts, too."""
    u = unsuccessful.c
    statement = delete(unsuccessful).where(among(conn, u.job_id, job_ids))
    rows = conn.execute(statement.returning(u.group_id, u.flow_id, u.finished_at)).fetchall()
    grouped = [row for row in rows if row.group_id is not None]
    for group_id, n in sorted(Counter(row.group_id for row in grouped).items()):
        values: dict[str, Any] = {"jobs": _g.jobs - n}
        if deleted:
            values["failures"] = _g.failures - n
        conn.execute(update(error_groups).where(_g.id == group_id).values(values))
    if not deleted or not grouped:
        return
    _subtract(conn, error_hours, "hour", Counter((r.group_id, r.finished_at // HOUR * HOUR)
                                                 for r in grouped))  # fmt: skip
    _subtract(conn, error_flows, "flow_id", Counter((r.group_id, r.flow_id) for r in grouped))
    _forget(conn, select(_g.id).where(_g.id.in_({r.group_id for r in grouped}), _g.failures <= 0))


def _subtract(
    conn: Connection, table: Table, key: str, counted: "Counter[tuple[int, int]]"
) -> None:
    for (group_id, value), n in sorted(counted.items()):
        mine = (table.c.group_id == group_id, table.c[key] == value)
        conn.execute(update(table).where(*mine).values(n=table.c.n - n))
        conn.execute(delete(table).where(*mine, table.c.n <= 0))


def _forget(conn: Connection, which: Select[tuple[int]]) -> int:
    ids = list(conn.execute(which).scalars())
    if ids:
        conn.execute(delete(error_hours).where(error_hours.c.group_id.in_(ids)))
        conn.execute(delete(error_flows).where(error_flows.c.group_id.in_(ids)))
        conn.execute(delete(error_groups).where(_g.id.in_(ids)))
    return len(ids)


def trim(conn: Connection, now: Micros, keep: Micros) -> int:
    """Forget old hours, and at most `AT_ONCE` groups of which no job is left and that did not
    happen for the time `keep`; gives how many."""
    conn.execute(delete(error_hours).where(error_hours.c.hour < now - KEEP_HOURS * HOUR))
    old = select(_g.id).where(_g.last_at < now - keep, _g.jobs <= 0)
    return _forget(conn, old.order_by(_g.last_at, _g.id).limit(AT_ONCE))


def find(
    conn: Connection,
    *,
    now: Micros,
    state: str = "",
    flow: str = "",
    q: str = "",
    sort: str = NEWEST,
    limit: int = PAGE,
    cursor: str | None = None,
) -> Page[ErrorGroup]:
    """One page of the groups, the one that happened last first; of a state, in a flow, with a
    text in type, place or message. In another order (`-` before what falls) those are sorted
    that one call may read, the newest.

    Raises:
        InvalidValue: names the condition that cannot be read.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidValue("limit", f"{limit} is not between 1 and {PAGE_MAX}")
    looked = select(error_groups).order_by(_g.last_at.desc(), _g.id.desc())
    if sort != NEWEST:
        some = looked.limit(ROWS_MAX).subquery()
        rows, following = _sorted(
            conn, some, _conditions(some, state, flow, q), sort, limit, cursor
        )
        return Page(_records(conn, rows, now, LIST_HOURS), following, None)
    if cursor is not None:
        looked = looked.where(tuple_(_g.last_at, _g.id) < tuple(cursors.read(cursor, NEWEST, 2)))
    some = looked.limit(ROWS_MAX).subquery()
    conditions = _conditions(some, state, flow, q)
    query = select(some).where(*conditions).order_by(some.c.last_at.desc(), some.c.id.desc())
    rows = conn.execute(query.limit(limit + 1)).fetchall()
    searched: Micros | None = None
    last: AnyRow | None = None
    if len(rows) > limit:
        last = rows[limit - 1]
    elif conditions:
        last = conn.execute(looked.offset(ROWS_MAX - 1).limit(1)).first()
        searched = last.last_at if last is not None else None
    following = cursors.write(NEWEST, [last.last_at, last.id]) if last is not None else None
    return Page(_records(conn, rows[:limit], now, LIST_HOURS), following, searched)


def _sorted(
    conn: Connection, some: Any, conditions: list[Any], sort: str, limit: int, cursor: str | None
) -> tuple[Sequence[AnyRow], str | None]:
    falls = sort.startswith("-")
    name = SORTS.get(sort.removeprefix("-"))
    if name is None:
        raise InvalidValue("sort", f"{sort!r} is none of {', '.join(SORTS)}")
    keys = (some.c[name], some.c.id)
    query = select(some).where(*conditions).order_by(*(k.desc() if falls else k for k in keys))
    if cursor is not None:
        place = tuple(cursors.read(cursor, sort, 2))
        query = query.where(tuple_(*keys) < place if falls else tuple_(*keys) > place)
    rows = conn.execute(query.limit(limit + 1)).fetchall()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], cursors.write(sort, [last._mapping[name], last.id])


def _conditions(some: Any, state: str, flow: str, q: str) -> list[Any]:
    found: list[Any] = []
    if state:
        if state not in STATES:
            raise InvalidValue("state", f"{state!r} is none of {', '.join(STATES)}")
        if state == "open":
            found += [some.c.resolved_at.is_(None), some.c.muted_at.is_(None)]
        else:
            found.append(some.c[f"{state}_at"].is_not(None))
    if flow:
        seen = select(error_flows.c.group_id).join(flows, flows.c.id == error_flows.c.flow_id)
        found.append(some.c.id.in_(seen.where(flows.c.name == flow)))
    if q:
        columns = (some.c.type, some.c.place, some.c.message, some.c.example)
        text = clean(q)
        found.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    return found


def get(conn: Connection, group_id: int, now: Micros, hours: int = LIST_HOURS) -> ErrorGroup:
    """The group of that number, with the failures of so many hours.

    Raises:
        NotFound: there is none.
    """
    query = select(error_groups).where(_g.id == group_id)
    row = conn.execute(query).first() if is_number(group_id) else None
    if row is None:
        raise NotFound("error", group_id, "It may have been cleaned up with its jobs.")
    return _records(conn, [row], now, hours)[0]


def of_job(conn: Connection, job_id: int) -> int | None:
    """The number of the group of a job that stands failed."""
    query = select(unsuccessful.c.group_id).where(unsuccessful.c.job_id == job_id)
    return conn.execute(query).scalar()


def standing(conn: Connection, group_id: int, *, limit: int) -> list[int]:
    """Numbers of jobs that stand failed by that error, the smallest first."""
    u = unsuccessful.c
    query = select(u.job_id).where(u.group_id == group_id).order_by(u.job_id)
    return list(conn.execute(query.limit(limit)).scalars())


def muted(conn: Connection, job_ids: Sequence[int]) -> set[int]:
    """Those of the jobs that stand failed by an error that is muted."""
    u = unsuccessful.c
    query = select(u.job_id).join(error_groups, _g.id == u.group_id).where(_g.muted_at.is_not(None))
    return set(conn.execute(query.where(among(conn, u.job_id, job_ids))).scalars())


def resolve(conn: Connection, group_id: int, *, by: str, why: str, now: Micros) -> bool:
    """Mark it resolved, and no longer muted; False: it is resolved already."""
    values = {"resolved_at": now, "resolved_by": clean(by), "resolved_reason": clean(why)}
    values["muted_at"] = None
    statement = update(error_groups).where(_g.id == group_id, _g.resolved_at.is_(None))
    return conn.execute(statement.values(values)).rowcount > 0


def reopen(conn: Connection, group_id: int, now: Micros) -> bool:
    """Open it again; False: it is not resolved."""
    statement = update(error_groups).where(_g.id == group_id, _g.resolved_at.is_not(None))
    return conn.execute(statement.values(resolved_at=None, reopened_at=now)).rowcount > 0


def mute(conn: Connection, group_id: int, *, by: str, why: str, now: Micros) -> bool:
    """Let it call for no attention; False: it is muted already, or resolved."""
    values = {"muted_at": now, "muted_by": clean(by), "muted_reason": clean(why)}
    still = (_g.resolved_at.is_(None), _g.muted_at.is_(None))
    statement = update(error_groups).where(_g.id == group_id, *still)
    return conn.execute(statement.values(values)).rowcount > 0


def unmute(conn: Connection, group_id: int) -> bool:
    """Let it call for attention again; False: it is not muted."""
    statement = update(error_groups).where(_g.id == group_id, _g.muted_at.is_not(None))
    return conn.execute(statement.values(muted_at=None)).rowcount > 0


def _records(conn: Connection, rows: Sequence[AnyRow], now: Micros, hours: int) -> list[ErrorGroup]:
    ids = [row.id for row in rows]
    start = now // HOUR * HOUR - (hours - 1) * HOUR
    trends: dict[int, list[int]] = {each: [0] * hours for each in ids}
    h = error_hours.c
    query = select(h.group_id, h.hour, h.n).where(h.group_id.in_(ids), h.hour >= start)
    for group_id, hour, n in conn.execute(query):
        # A worker's clock may be ahead.
        trends[group_id][min((hour - start) // HOUR, hours - 1)] += n
    names: dict[int, list[str]] = defaultdict(list)
    f = error_flows.c
    named = select(f.group_id, flows.c.name).join(flows, flows.c.id == f.flow_id)
    named = named.where(f.group_id.in_(ids)).order_by(f.n.desc(), flows.c.name)
    for group_id, name in conn.execute(named):
        names[group_id].append(name)
    return [
        ErrorGroup(
            id=row.id,
            type=row.type,
            place=row.place,
            message=row.message,
            example=row.example,
            failures=row.failures,
            jobs=row.jobs,
            first_at=row.first_at,
            last_at=row.last_at,
            last_job=row.last_job_id,
            flows=names[row.id],
            hours=trends[row.id],
            resolved_at=row.resolved_at,
            resolved_by=row.resolved_by,
            resolved_reason=row.resolved_reason,
            reopened_at=row.reopened_at,
            muted_at=row.muted_at,
            muted_by=row.muted_by,
            muted_reason=row.muted_reason,
        )
        for row in rows
    ]
