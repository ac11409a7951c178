"""The latest runs of flows, read from the end of their history."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text

from jobdeck.domain.filters import ROWS_MAX
from jobdeck.domain.health import RUNS, Run
from jobdeck.domain.states import Code, Reason
from jobdeck.store.tables import ready
from jobdeck.store.values import NUMBER_MAX, AnyRow

OPEN_MAX = 200
"""Among so many of a flow's newest jobs those that have ended are looked for."""

_TOGETHER = 50
_COLUMNS = "id, flow_id, status, reason, started_at, finished_at"


def runs(conn: Connection, flow_ids: Collection[int], *, limit: int = RUNS) -> dict[int, list[Run]]:
    """The last runs of each of the flows that have ended, the newest first. At most ROWS_MAX jobs
    are read: of very many flows, fewer runs each."""
    wanted = sorted(flow_ids)
    found: dict[int, list[Run]] = {flow_id: [] for flow_id in wanted}
    depth = min(OPEN_MAX, max(ROWS_MAX // max(len(wanted), 1) // 2, limit))
    _read(conn, dict.fromkeys(wanted, NUMBER_MAX), depth, limit, found)
    busy = [flow_id for flow_id in wanted if len(found[flow_id]) < limit]
    _read(conn, _next_up(conn, busy), depth, limit, found)
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
        parts = [_newest(flow_id, below[flow_id], depth, limit) for flow_id in some]
        for row in conn.execute(text(" UNION ALL ".join(parts))):
            known = found[row.flow_id]
            if len(known) < limit and all(run.job != row.id for run in known):
                known.append(_record(row))


def _newest(flow_id: int, below: int, depth: int, limit: int) -> str:
    # All of them are numbers.
    return (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM (SELECT {_COLUMNS} FROM jobs "  # noqa: S608
        f"WHERE flow_id = {flow_id} AND id < {below} ORDER BY id DESC LIMIT {depth}) AS newest "
        f"WHERE status <> {int(Code.OPEN)} ORDER BY id DESC LIMIT {limit}) AS ended{flow_id}"
    )


def _next_up(conn: Connection, flow_ids: Sequence[int]) -> dict[int, int]:
    """The job that is next of each of these flows: behind many that wait, those that have ended
    are mostly older than it."""
    found: dict[int, int] = {}
    for flow_id in flow_ids:
        lanes = text("SELECT DISTINCT queue_id FROM counters WHERE flow_id = :flow AND status = :c")
        queues = conn.execute(lanes, {"flow": flow_id, "c": int(Code.PENDING)}).scalars().all()
        for queue_id in queues:
            query = (
                ready.select()
                .with_only_columns(ready.c.job_id)
                .where(ready.c.queue_id == queue_id, ready.c.flow_id == flow_id)
                .order_by(ready.c.rank, ready.c.job_id)
                .limit(1)
            )
            job_id = conn.execute(query).scalar()
            if job_id is not None:
                found[flow_id] = min(job_id, found.get(flow_id, job_id))
    return found


def _record(row: AnyRow) -> Run:
    return Run(
        job=row.id,
        status=Code(row.status).status,
        reason=Reason(row.reason) if row.reason else None,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
