"""Lists of jobs in an order that no index has: the newest, as many as can be read, are sorted."""

from collections.abc import Sequence

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import ROWS_MAX, JobFilter
from jobdeck.domain.states import Status
from jobdeck.store import conditions, cursors, periods, sources, walks
from jobdeck.store.sources import Plan

_RANKS = " ".join(
    f"WHEN {conditions.has_status([status])} THEN {rank}" for rank, status in enumerate(Status)
)
_VALUES = {
    "id": "jobs.id",
    "priority": "jobs.priority",
    "status": f"CASE {_RANKS} END",
    "started": conditions.STARTED,
    "finished": "jobs.finished_at",
    "duration": conditions.DURATION,
}
_ALWAYS = ("id", "priority", "status")
"""Every job has these."""

WINDOW = ROWS_MAX // 2
"""So many jobs are sorted at the most: of more, the newest first, then those before them."""


def page(
    conn: Connection,
    wanted: JobFilter,
    order: Sequence[str],
    limit: int,
    cursor: str | None,
    now: Micros | None,
) -> tuple[list[int], str | None, Micros | None, str | None]:
    """The numbers of the jobs on one page in that order, the cursor of the next page, back to
    when the jobs that are sorted were created (None: all are), and the cursor of the page
    before.

    Raises:
        InvalidValue: the cursor is none of this list.
    """
    # The number decides among equals, and none follows it.
    cut = next((i for i, key in enumerate(order) if key.lstrip("-") in ("id", "created")), None)
    order = [*order, "-id"] if cut is None else [*order[:cut], order[cut].replace("created", "id")]
    name = ",".join(order)
    plan = sources.plan(conn, wanted, now or 0)
    newest, place, before = plan.high, None, False
    if cursor is not None:
        (newest, *place), before = cursors.read_either(cursor, name, 1 + 2 * len(order))
        plan.high = min(plan.high, newest)
    elif plan.sources:
        newest = plan.high = min(plan.high, periods.newest(conn))
    if not plan.sources:
        return [], None, None, None
    edge = _edge(conn, plan)
    plan.low = max(plan.low, edge)
    latest = now if now is not None else _latest(conn, newest)
    # What stands before a place is read away from it, and turned round.
    found = _keyed(conn, plan, order, latest, place, limit + 1, before=before)
    shown, more = found[:limit], len(found) > limit
    if before:
        shown.reverse()

    def at(key: Sequence[int], **how: bool) -> str:
        return cursors.write(name, [newest, *key], **how)

    following = earlier = None
    if shown and (more or before):
        following = at(shown[-1][1:])
    elif edge > 0:
        # None of the numbers of a key is this small, so all come after it.
        following = cursors.write(name, [edge - 1, *[-1, 0] * len(order)])
    if shown and (more if before else place is not None and place[0] >= 0):
        earlier = at(shown[0][1:], before=True)
    searched = periods.created_at(conn, plan.low) if edge > 0 else None
    return [row[0] for row in shown], following, searched, earlier


def _keyed(
    conn: Connection,
    plan: Plan,
    order: Sequence[str],
    now: Micros,
    place: list[int] | None,
    limit: int,
    *,
    before: bool,
) -> list[tuple[int, ...]]:
    """Numbers of jobs with their keys, of which smaller ones come first: two numbers for each
    column, and what has no value comes last."""
    values = ", ".join(f"{_VALUES[key.lstrip('-')]} AS v{n}" for n, key in enumerate(order))
    keys = [part for n, key in enumerate(order) for part in _key(key, f"v{n}")]
    columns = ", ".join(f"{part} AS k{n}" for n, part in enumerate(keys))
    names = ", ".join(f"k{n}" for n in range(len(keys)))
    way = "DESC" if before else "ASC"
    where = ""
    binds: dict[str, int] = {}
    if place is not None:
        marks = ", ".join(f":place{n}" for n in range(len(keys)))
        where = f"WHERE ({names}) {'<' if before else '>'} ({marks})"
        binds = {f"place{n}": int(value) for n, value in enumerate(place)}
    meant = walks.rows(conn, plan, f"jobs.id AS id, {values}")
    if conn.dialect.name != "sqlite":
        # Else PostgreSQL works each value out for both parts of its key.
        meant += " OFFSET 0"
    keyed = f"SELECT id, {columns} FROM ({meant}) AS valued"  # noqa: S608
    sql = (
        f"SELECT id, {names} FROM ({keyed}) AS keyed {where} "  # noqa: S608
        f"ORDER BY {', '.join(f'k{n} {way}' for n in range(len(keys)))} LIMIT +:count"
    )
    plan.binds["now"] = now
    found = walks.run(conn, sql, plan, low=plan.low, high=plan.high, count=limit, **binds)
    return [tuple(row) for row in found]


def _key(key: str, value: str) -> tuple[str, str]:
    sign = "-" if key.startswith("-") else ""
    if key.lstrip("-") in _ALWAYS:
        return "0", f"{sign}{value}"
    return f"CASE WHEN {value} IS NULL THEN 1 ELSE 0 END", f"coalesce({sign}{value}, 0)"


def _latest(conn: Connection, newest: int) -> Micros:
    return periods.created_at(conn, newest) or 0


def _edge(conn: Connection, plan: Plan) -> int:
    """The number from which on the jobs are few enough to be sorted; 0: all are."""
    rows = max(WINDOW // plan.walks, 1) + 1
    end = walks.end_of_slice(conn, plan, plan.low, plan.high, rows, descending=True)
    return 0 if end is None else end + 1
