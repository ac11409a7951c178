"""Items that a flow takes only once, whatever the number of its runs.

A claimed item belongs to its job: while that is open and the claim has not expired nobody else
gets it; with the job's completion it is processed, with any other end it is free. That follows
from the job's own row, so nothing is written when a job ends; `settle` writes it down later.
"""

# ruff: noqa: S608  (only texts of this module are put together; every value is bound)

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text, update

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import Page
from jobdeck.domain.records import FlowItem
from jobdeck.domain.states import Code
from jobdeck.store import cursors
from jobdeck.store.rows import among
from jobdeck.store.tables import processed_items
from jobdeck.store.values import AnyRow, is_number

DEFERRALS = 3
"""How often an item is put off; then it is processed."""

DAY = 86400 * SECOND
KEEP = 90 * DAY
"""How long an item is known after its flow has seen it for the last time."""

PURGE = 1000
SCAN = 2000
COUNT = 20_000
STATES = ("claimed", "deferred", "processed", "released")

# What a row means, with `jobs` joined to it.
_STATE = f"""CASE WHEN i.state <> 'claimed' THEN i.state
    WHEN jobs.status = {int(Code.COMPLETED)} THEN 'processed'
    WHEN jobs.status = {int(Code.OPEN)} AND (i.expires_at IS NULL OR i.expires_at > :now)
        THEN 'claimed'
    WHEN i.deferrals > 0 THEN 'deferred' ELSE 'released' END"""


class Place(NamedTuple):
    """Whose items are meant: those of a flow from one source, for a job of it."""

    flow_id: int
    source: str
    job_id: int


def claim(
    conn: Connection, place: Place, keys: Sequence[str], now: Micros, until: Micros
) -> set[str]:
    """Claim those that nobody has processed, and nobody else has claimed; gives them. One that
    its job has claimed before is its own again, one that it has put off is not."""
    rows = _each(
        conn,
        "INSERT INTO processed_items (flow_id, source, item, state, job_id, at, expires_at) "
        "SELECT :flow, CAST(:source AS text), key, 'claimed', :job, :now, :until FROM {keys} "
        "ON CONFLICT (flow_id, source, item) DO UPDATE SET state = 'claimed', "
        "job_id = excluded.job_id, at = excluded.at, expires_at = excluded.expires_at "
        "WHERE (processed_items.state = 'deferred' AND processed_items.job_id <> excluded.job_id) "
        "OR (processed_items.state = 'claimed' AND (processed_items.job_id = excluded.job_id "
        "OR NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = processed_items.job_id AND "
        f"(jobs.status = {int(Code.COMPLETED)} OR (jobs.status = {int(Code.OPEN)} "
        "AND processed_items.expires_at > excluded.at))))) RETURNING item",
        place,
        keys,
        now=now,
        until=until,
    )
    taken = {row[0] for row in rows}
    if len(taken) < len(keys):
        _remember(conn, place, [key for key in keys if key not in taken], now)
    return taken


def _remember(conn: Connection, place: Place, keys: Sequence[str], now: Micros) -> None:
    """What is still offered is not forgotten; written once a day."""
    _each(
        conn,
        "UPDATE processed_items SET expires_at = :forget WHERE flow_id = :flow "
        "AND source = :source AND item IN (SELECT key FROM {keys}) AND state = 'processed' "
        "AND expires_at < :stale RETURNING item",
        place,
        keys,
        forget=now + KEEP,
        stale=now + KEEP - DAY,
    )


def seen(conn: Connection, place: Place, keys: Sequence[str]) -> set[str]:
    """Those that have been processed."""
    rows = _each(
        conn,
        "SELECT i.item FROM processed_items i LEFT JOIN jobs ON jobs.id = i.job_id "
        "WHERE i.flow_id = :flow AND i.source = :source AND i.item IN (SELECT key FROM {keys}) "
        f"AND (i.state = 'processed' OR (i.state = 'claimed' AND jobs.status = "
        f"{int(Code.COMPLETED)}))",
        place,
        keys,
    )
    return {row[0] for row in rows}


def process(conn: Connection, place: Place, keys: Sequence[str], now: Micros) -> None:
    """They are done, whoever had claimed them."""
    _each(
        conn,
        "INSERT INTO processed_items (flow_id, source, item, state, job_id, at, expires_at) "
        "SELECT :flow, CAST(:source AS text), key, 'processed', :job, :now, :forget FROM {keys} "
        "ON CONFLICT (flow_id, source, item) DO UPDATE SET state = 'processed', "
        "job_id = excluded.job_id, at = excluded.at, expires_at = excluded.expires_at "
        "RETURNING item",
        place,
        keys,
        now=now,
        forget=now + KEEP,
    )


def defer(conn: Connection, place: Place, keys: Sequence[str], now: Micros) -> None:
    """Leave those that the job has claimed to another one; one that was put off `DEFERRALS`
    times is processed instead."""
    _each(
        conn,
        "UPDATE processed_items SET at = :now, expires_at = :forget, deferrals = deferrals + 1, "
        f"state = CASE WHEN deferrals >= {DEFERRALS} THEN 'processed' ELSE 'deferred' END "
        f"WHERE {_OWN} RETURNING item",
        place,
        keys,
        now=now,
        forget=now + KEEP,
    )


def release(conn: Connection, place: Place, keys: Sequence[str], now: Micros) -> None:
    """Give those back that the job has claimed: as if it had not."""
    _each(
        conn,
        "UPDATE processed_items SET state = 'deferred', job_id = 0, expires_at = :forget "
        f"WHERE {_OWN} AND deferrals > 0 RETURNING item",
        place,
        keys,
        forget=now + KEEP,
    )
    _each(conn, f"DELETE FROM processed_items WHERE {_OWN} RETURNING item", place, keys)


_OWN = (
    "flow_id = :flow AND source = :source AND item IN (SELECT key FROM {keys}) "
    "AND state = 'claimed' AND job_id = :job"
)


def _each(
    conn: Connection, sql: str, place: Place, keys: Sequence[str], **binds: Any
) -> Sequence[AnyRow]:
    """Execute it for all of the keys at once, in order, so that no two wait in a circle."""
    values = {"flow": place.flow_id, "source": place.source, "job": place.job_id, **binds}
    wanted = sorted(set(keys))
    if conn.dialect.name == "sqlite":
        values["keys"] = json.dumps(wanted)
        # WHERE, or the ON of ON CONFLICT would be taken for that of a join.
        table = "(SELECT value AS key FROM json_each(:keys)) WHERE true"
    else:
        values["keys"] = wanted
        table = "unnest(CAST(:keys AS text[])) AS k(key) ORDER BY key"
    used = {name: value for name, value in values.items() if f":{name}" in sql or name == "keys"}
    return _read(conn, sql.format(keys=table), used)


def find(
    conn: Connection,
    flow_id: int | None,
    now: Micros,
    *,
    job: int | None = None,
    source: str | None = None,
    item: str = "",
    state: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page[FlowItem]:
    """One page of a flow's items by source and item, or of those that a job took, whatever its
    flow (None). A call looks at a bounded number: a page of one state may have few items, or
    none, and `next`.

    Raises:
        InvalidValue: the cursor is none, or there is no such state.
    """
    if state not in ("", *STATES):
        raise InvalidValue("state", f"{state!r} is none of {', '.join(STATES)}")
    after = cursors.read(cursor, "items", 2, texts=True) if cursor else None
    where, values = _whose(flow_id, job)
    scan = SCAN if state else min(SCAN, limit + 1)
    values |= {"now": now, "scan": scan}
    if source is not None:
        where.append("source = :source")
    if item:
        where.append("item = :item")
    if after:
        where.append("(source, item) > (:after_source, :after_item)")
        values |= {"after_source": after[0], "after_item": after[1]}
    values |= {} if source is None else {"source": source}
    values |= {"item": item} if item else {}
    rows = _read(
        conn,
        f"SELECT i.source, i.item, {_STATE} AS state, i.job_id, i.at, i.expires_at, i.deferrals "
        f"FROM (SELECT * FROM processed_items WHERE {' AND '.join(where)} "
        "ORDER BY source, item LIMIT +:scan) AS i LEFT JOIN jobs ON jobs.id = i.job_id "
        "ORDER BY i.source, i.item",
        values,
    )
    found: list[FlowItem] = []
    for n, row in enumerate(rows):
        if not state or row[2] == state:
            found.append(_record(row))
        if len(found) == limit and n + 1 < len(rows):
            return Page(found, cursors.write("items", [row[0], row[1]]), None)
    more = len(rows) == scan
    return Page(found, cursors.write("items", list(rows[-1][:2])) if more else None, None)


def count(
    conn: Connection, flow_id: int | None, now: Micros, *, job: int | None = None
) -> tuple[dict[str, int], bool]:
    """How many items the flow, or a job as of `find`, has in each state, and whether it has more
    than the `COUNT` that were counted."""
    where, values = _whose(flow_id, job)
    rows = _read(
        conn,
        f"SELECT {_STATE} AS state, count(*) FROM (SELECT * FROM processed_items "
        f"WHERE {' AND '.join(where)} ORDER BY source, item LIMIT +:most) AS i "
        "LEFT JOIN jobs ON jobs.id = i.job_id GROUP BY 1",
        {**values, "now": now, "most": COUNT},
    )
    found = dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in rows}
    return found, sum(found.values()) == COUNT


def _whose(flow_id: int | None, job: int | None) -> tuple[list[str], dict[str, Any]]:
    """The conditions for the items of a flow, or of a job (and of that flow); no job is 0."""
    if job is None:
        return ["flow_id = :flow"], {"flow": flow_id}
    mine = {"job": job if is_number(job) and job > 0 else -1}
    if flow_id is None:
        return ["job_id = :job"], mine
    # The sum keeps databases from going through all of the flow's items in their order.
    return ["job_id = :job", "flow_id + 0 = :flow"], {**mine, "flow": flow_id}


def forget(
    conn: Connection, flow_id: int, *, source: str | None, item: str, limit: int = 1000
) -> int:
    """Forget at most `limit` items of the flow, so that it takes them again; gives how many."""
    where = "flow_id = :flow"
    where += " AND source = :source" if source is not None else ""
    where += " AND item = :item" if item else ""
    values: dict[str, Any] = {"flow": flow_id, "limit": limit}
    values |= {} if source is None else {"source": source}
    values |= {"item": item} if item else {}
    return _some(conn, "DELETE FROM processed_items WHERE {some}", where, values)


def settle(conn: Connection, now: Micros, after: int = 0, limit: int = 1000) -> int | None:
    """Write down what became of the claims of the next job above the number `after`, of at most
    `limit` items; gives the number to go on from, None if there is no such job."""
    (job_id,) = _read(
        conn,
        "SELECT min(job_id) FROM processed_items WHERE state = 'claimed' AND job_id > :after",
        {"after": after},
    )[0]
    if job_id is None:
        return None
    status = _read(conn, "SELECT status FROM jobs WHERE id = :job", {"job": job_id})
    if status and status[0][0] == Code.OPEN:
        return int(job_id)
    values = {"job": job_id, "now": now, "forget": now + KEEP, "limit": limit}
    mine = "state = 'claimed' AND job_id = :job"
    if status and status[0][0] == Code.COMPLETED:
        sql = "UPDATE processed_items SET state = 'processed', expires_at = :forget WHERE {some}"
        done = _some(conn, sql, mine, values)
    else:
        # A retry of the job finds what it had claimed, as long as the claim would have held.
        mine += " AND expires_at <= :now"
        # Free for any job, also for this one: it was another that put it off.
        sql = "UPDATE processed_items SET state = 'deferred', job_id = 0, expires_at = :forget "
        sql += "WHERE {some}"
        done = _some(conn, sql, f"{mine} AND deferrals > 0", values)
        done += _some(conn, "DELETE FROM processed_items WHERE {some}", mine, values)
    return int(job_id) - (done >= limit)


def settle_completed(conn: Connection, job_ids: Collection[int]) -> None:
    """These jobs have completed and are about to be deleted: their items are processed."""
    if job_ids:
        i = processed_items.c
        mine = update(processed_items).where(
            i.state == text("'claimed'"), among(conn, i.job_id, job_ids)
        )
        conn.execute(mine.values(state="processed", expires_at=i.at + KEEP))


def purge(conn: Connection, now: Micros, limit: int = PURGE) -> int:
    """Forget at most `limit` items that their flows have not seen for long; gives how many."""
    where = "state <> 'claimed' AND expires_at <= :now"
    values = {"now": now, "limit": limit}
    return _some(conn, "DELETE FROM processed_items WHERE {some}", where, values)


def _some(conn: Connection, sql: str, where: str, values: dict[str, Any]) -> int:
    """Do it to at most `:limit` rows; gives to how many."""
    some = (
        f"{where} AND (flow_id, source, item) IN (SELECT flow_id, source, item "
        f"FROM processed_items WHERE {where} LIMIT +:limit)"
    )
    whole = f"{sql.format(some=some)} RETURNING item"
    return len(_read(conn, whole, {k: v for k, v in values.items() if f":{k}" in whole}))


def _read(conn: Connection, sql: str, values: dict[str, Any]) -> Sequence[AnyRow]:
    return conn.execute(text(sql), values).fetchall()


def _record(row: AnyRow) -> FlowItem:
    source, item, state, job_id, at, expires_at, deferrals = row
    return FlowItem(
        source=source,
        item=item,
        state=state,
        job=job_id or None,
        at=at,
        expires_at=expires_at,
        deferrals=deferrals,
    )
