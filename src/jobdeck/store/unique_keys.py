"""Keys that one job alone may have while it is open, and until a time.

Nothing is written when a job ends: whether it still holds its key follows from its own row, so
the two cannot part. Somebody who wants a key that was left behind takes it over.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code

SLICE = 1000
"""Keys that one purge looks at."""

_CHUNK = 500
_OURS = 0
"""Stands for a job that is about to be created, within this transaction."""


class Holder(NamedTuple):
    """Who has a key. `status` is that of the job's own row; None: the job is gone."""

    key: str
    job_id: int
    until: Micros | None
    status: int | None

    def holds(self, now: Micros) -> bool:
        """Whether the key is still its own."""
        if self.status is None:
            return False
        return self.status == Code.OPEN or (self.until is not None and self.until > now)


def take(conn: Connection, wanted: Mapping[str, Micros | None], now: Micros) -> dict[str, Holder]:
    """Take these keys, each until its time, for jobs that `give` names before the transaction
    ends; gives who holds those that could not be taken. Nobody else gets one meanwhile."""
    held: dict[str, Holder] = {}
    # In order, so that two that want several of the same never wait for each other in a circle.
    keys = sorted(wanted)
    for start in range(0, len(keys), _CHUNK):
        some = {key: wanted[key] for key in keys[start : start + _CHUNK]}
        held.update(_take(conn, some, now))
    return held


def _take(conn: Connection, left: dict[str, Micros | None], now: Micros) -> dict[str, Holder]:
    held: dict[str, Holder] = {}
    while left and _insert(conn, left) < len(left):
        found = _holders(conn, left)
        held.update({each.key: each for each in found if each.job_id and each.holds(now)})
        free = [each.key for each in found if each.job_id and not each.holds(now)]
        if free:
            # A retry of such a job takes its key again under this lock: look again behind it.
            _lock(conn, free)
            free = [
                each.key for each in _holders(conn, free) if each.job_id and not each.holds(now)
            ]
            _assign(conn, [(_OURS, left[key], key) for key in free])
        done = {*held, *free, *(each.key for each in found if each.job_id == _OURS)}
        # What is left was let go, or taken again, between two of these statements.
        left = {key: until for key, until in left.items() if key not in done}
    return held


def give(conn: Connection, pairs: Sequence[tuple[str, int]]) -> None:
    """Name the jobs, by their numbers, that the taken keys are for."""
    if not pairs:
        return
    if conn.dialect.name == "sqlite":
        rows = [(job_id, key) for key, job_id in pairs]
        conn.exec_driver_sql("UPDATE unique_keys SET job_id = ? WHERE key = ?", rows)
        return
    conn.exec_driver_sql(
        "UPDATE unique_keys SET job_id = new.job_id "
        "FROM unnest(%s::text[], %s::bigint[]) AS new(key, job_id) WHERE unique_keys.key = new.key",
        ([key for key, _ in pairs], [job_id for _, job_id in pairs]),
    )


def take_again(conn: Connection, key: str, job_id: int, now: Micros) -> Holder | None:
    """Take the key for an ended job that is to be open again; gives who else has it, if
    somebody has."""
    holder = take(conn, {key: None}, now).get(key)
    if holder is not None and holder.job_id != job_id:
        return holder
    # Also where it is still its own: whoever waits for this row sees the job open.
    give(conn, [(key, job_id)])
    return None


def purge(conn: Connection, now: Micros, after: str = "", limit: int = SLICE) -> tuple[int, str]:
    """Remove keys that nobody holds among the `limit` that follow `after`; gives how many, and
    the key to go on from (empty: that was the last)."""
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    keys = list(
        conn.exec_driver_sql(
            f"SELECT key FROM unique_keys WHERE key > {mark} ORDER BY key LIMIT +{mark}",  # noqa: S608
            (after, limit),
        ).scalars()
    )
    following = keys[-1] if len(keys) == limit else ""
    left = [each.key for each in _holders(conn, keys) if not each.holds(now)]
    if not left:
        return 0, following
    left = _lock(conn, left, skip=True)
    left = [each.key for each in _holders(conn, left) if not each.holds(now)]
    where, arguments = _among(conn, left)
    conn.exec_driver_sql(f"DELETE FROM unique_keys WHERE {where}", arguments)  # noqa: S608
    return len(left), following


def _insert(conn: Connection, keys: Mapping[str, Micros | None]) -> int:
    if conn.dialect.name == "sqlite":
        statement = "INSERT INTO unique_keys (key, job_id, until) VALUES (?, 0, ?)"
        rows = list(keys.items())
        return conn.exec_driver_sql(f"{statement} ON CONFLICT DO NOTHING", rows).rowcount
    return conn.exec_driver_sql(
        "INSERT INTO unique_keys (key, job_id, until) "
        "SELECT key, 0, until FROM unnest(%s::text[], %s::bigint[]) AS new(key, until) "
        "ORDER BY key ON CONFLICT DO NOTHING",
        (list(keys), list(keys.values())),
    ).rowcount


def _assign(conn: Connection, rows: Sequence[tuple[int, Micros | None, str]]) -> None:
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    statement = f"UPDATE unique_keys SET job_id = {mark}, until = {mark} WHERE key = {mark}"  # noqa: S608
    if rows:
        conn.exec_driver_sql(statement, list(rows))


def _holders(conn: Connection, keys: Collection[str]) -> list[Holder]:
    where, arguments = _among(conn, keys)
    rows = conn.exec_driver_sql(
        "SELECT unique_keys.key, job_id, until, jobs.status FROM unique_keys "  # noqa: S608
        f"LEFT JOIN jobs ON jobs.id = unique_keys.job_id WHERE unique_keys.{where}",
        arguments,
    ).fetchall()
    return [Holder(*row) for row in rows]


def _lock(conn: Connection, keys: Collection[str], *, skip: bool = False) -> list[str]:
    """Let nobody else change these, on SQLite by its one lock; with `skip`, those that nobody
    else has locked."""
    if conn.dialect.name == "sqlite":
        return list(keys)
    where, arguments = _among(conn, keys)
    clause = " SKIP LOCKED" if skip else ""
    rows = conn.exec_driver_sql(
        f"SELECT key FROM unique_keys WHERE {where} ORDER BY key FOR UPDATE{clause}",  # noqa: S608
        arguments,
    )
    return list(rows.scalars())


def _among(conn: Connection, keys: Iterable[str]) -> tuple[str, tuple[Any, ...]]:
    wanted = list(keys)
    if conn.dialect.name == "sqlite":
        return f"key IN ({', '.join('?' * len(wanted))})", tuple(wanted)
    return "key = ANY(%s)", (wanted,)
