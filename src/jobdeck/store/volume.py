"""How many jobs ended, by the time of their creation and by outcome: kept up to date by whoever
ends, reopens or deletes jobs, in the same transaction, so it always equals the counters."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection, delete, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.rows import among
from jobdeck.store.tables import jobs, volume

SPANS = (600, 3600, 86_400)
"""Seconds of the stretches of time for which numbers are kept."""

FINE_S = 3 * 86_400
"""The shortest stretches are kept for so long."""

FINE = SPANS[0] * SECOND
_TRIM = 10_000

Key = tuple[int, Code | int, int, int]
"""Which of the shortest stretches (`stretch`), status, queue, flow."""

_UPSERT = (
    "INSERT INTO volume (span, flow_id, at, status, queue_id, shard, n) {} "
    "ON CONFLICT (span, flow_id, at, status, queue_id, shard) DO UPDATE SET n = {}n + excluded.n"
)
_SQLITE = _UPSERT.format("VALUES (?, ?, ?, ?, ?, 0, ?)", "")
_POSTGRES = _UPSERT.format(
    "SELECT * FROM unnest(%s::int[], %s::int[], %s::bigint[], %s::smallint[], %s::int[], "
    "%s::int[], %s::bigint[])",
    "volume.",
)


def stretch(created_at: Micros) -> int:
    """The number of the shortest stretch of time in which that lies."""
    return created_at // FINE


def change(conn: Connection, deltas: "Counter[Key]") -> None:
    """Add to the numbers of ended jobs what really changed, in the transaction that changed it
    and after `counters.change`, so that two writers never wait for each other in a circle."""
    rows: Counter[tuple[int, ...]] = Counter()
    for (place, code, queue_id, flow_id), n in deltas.items():
        for span in SPANS:
            at = place * FINE
            rows[span, flow_id, at - at % (span * SECOND), int(code), queue_id] += n
    changed = [(*key, n) for key, n in sorted(rows.items()) if n]
    if not changed:
        return
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(_SQLITE, changed)
        return
    *columns, numbers = map(list, zip(*changed, strict=True))
    shards = [counters.shard()] * len(changed)
    conn.exec_driver_sql(_POSTGRES, (*columns, shards, numbers))


class _Ended(Protocol):
    @property
    def job_id(self) -> int: ...
    @property
    def code(self) -> Code: ...
    @property
    def queue_id(self) -> int: ...
    @property
    def flow_id(self) -> int: ...


def of(conn: Connection, ended: Sequence[_Ended]) -> "Counter[Key]":
    """What these jobs add, whose time of creation is looked up."""
    if not ended:
        return Counter()
    query = select(jobs.c.id, jobs.c.created_at).where(
        among(conn, jobs.c.id, [e.job_id for e in ended])
    )
    created = {row.id: row.created_at for row in conn.execute(query)}
    return Counter((stretch(created[e.job_id]), e.code, e.queue_id, e.flow_id) for e in ended)


def trim(conn: Connection, now: Micros) -> bool:
    """Forget some of the shortest stretches that are older than `FINE_S`; whether there may be
    more of them."""
    v = volume.c
    old = (v.span == SPANS[0]) & (v.at < now - FINE_S * SECOND)
    flow_ids = conn.execute(select(v.flow_id).where(v.span == SPANS[0]).distinct()).scalars().all()
    left = _TRIM
    for flow_id in flow_ids:
        own = old & (v.flow_id == flow_id)
        last = conn.execute(select(v.at).where(own).order_by(v.at).limit(1).offset(left)).scalar()
        upto = own if last is None else own & (v.at < last)
        left -= conn.execute(delete(volume).where(upto)).rowcount
        if last is not None or left <= 0:
            return True
    return False
