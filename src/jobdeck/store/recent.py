"""The latest runs of flows, read from the end of their history."""

from collections.abc import Collection

from sqlalchemy import Connection, text

from jobdeck.domain.filters import ROWS_MAX
from jobdeck.domain.health import RUNS, Run
from jobdeck.domain.states import Code, Reason
from jobdeck.store import walks
from jobdeck.store.sources import of_flow
from jobdeck.store.values import NUMBER_MAX, AnyRow

OPEN_MAX = 200
"""Among so many of a flow's newest jobs those that have ended are looked for."""

_TOGETHER = 50
_NEAR = 50
_COLUMNS = "id, flow_id, status, reason, started_at, finished_at"


def runs(conn: Connection, flow_ids: Collection[int], *, limit: int = RUNS) -> dict[int, list[Run]]:
    """The last runs of each of the flows that have ended, the newest first. At most ROWS_MAX jobs
    are read: of very many flows, fewer runs each."""
    wanted = sorted(flow_ids)
    found: dict[int, list[Run]] = {flow_id: [] for flow_id in wanted}
    depth = min(OPEN_MAX, max(ROWS_MAX // max(len(wanted), 1) // 2, limit))
    _read(conn, dict.fromkeys(wanted, NUMBER_MAX), depth, limit, found)
    short = {flow_id for flow_id in wanted if len(found[flow_id]) < limit}
    if short:
        busy = [flow_id for flow_id in _waiting(conn, depth - limit) if flow_id in short]
        _read(conn, {each: _oldest_open(conn, each) for each in busy}, depth, limit, found)
    return found


def merged(found: dict[int, list[Run]], limit: int = RUNS) -> list[Run]:
    """The latest runs of all of the flows together, the newest first."""
    every = (run for runs in found.values() for run in runs)
    return sorted(every, key=lambda run: -run.job)[:limit]


def _read(
    conn: Connection, below: dict[int, int], depth: int, limit: int, found: dict[int, list[Run]]
) -> None:
    flow_ids = list(below)
    for start in range(0, len(flow_ids), _TOGETHER):
        some = flow_ids[start : start + _TOGETHER]
        parts = [_newest(conn, flow_id, below[flow_id], depth, limit) for flow_id in some]
        for row in conn.execute(text(" UNION ALL ".join(parts))):
            known = found[row.flow_id]
            # They come in the order of their numbers, and may be there already.
            if len(known) < limit and (not known or row.id < known[-1].job):
                known.append(_record(row))


def _newest(conn: Connection, flow_id: int, below: int, depth: int, limit: int) -> str:
    newest = _jobs(conn, flow_id, below, _COLUMNS, depth)
    return (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM ({newest}) AS newest "  # noqa: S608
        f"WHERE status <> {int(Code.OPEN)} ORDER BY id DESC LIMIT {limit}) AS ended{flow_id}"
    )


def _jobs(conn: Connection, flow_id: int, below: int, columns: str, limit: int) -> str:
    # All of them are numbers.
    return walks.walk(
        conn,
        of_flow(str(flow_id)),
        columns,
        descending=True,
        limit=f"LIMIT {limit}",
        low="0",
        high=str(below - 1),
    )


def _waiting(conn: Connection, more_than: int) -> list[int]:
    """The flows of which more jobs than that wait."""
    query = text(
        "SELECT flow_id FROM counters WHERE status = :pending GROUP BY flow_id HAVING sum(n) > :n"
    )
    rows = conn.execute(query, {"pending": int(Code.PENDING), "n": more_than})
    return [row.flow_id for row in rows]


def _oldest_open(conn: Connection, flow_id: int) -> int:
    """About where the jobs begin that have not ended: those before them have, mostly. Halves the
    numbers again and again, one row each time."""
    low, high = 0, NUMBER_MAX
    while high - low > _NEAR:
        middle = (low + high) // 2
        row = conn.execute(text(_jobs(conn, flow_id, middle, "id, status", 1))).first()
        if row is None or row.status != int(Code.OPEN):
            low = middle
        else:
            high = row.id
    return high


def _record(row: AnyRow) -> Run:
    return Run(
        job=row.id,
        status=Code(row.status).status,
        reason=Reason(row.reason) if row.reason else None,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
