"""New jobs: their own row, a row among the ready or delayed, the counters."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain.clock import Micros, to_iso
from jobdeck.domain.errors import Duplicate
from jobdeck.domain.states import Code
from jobdeck.domain.uniqueness import Kept, Unique, describe
from jobdeck.store import counters, unique_keys
from jobdeck.store.database import TOLD
from jobdeck.store.failures import is_deadlock
from jobdeck.store.flows import Stamp
from jobdeck.store.rows import lines_array, numbers_array
from jobdeck.store.values import driver

TRIES = 3
"""So often unique keys are taken anew if others were waited for in a circle."""


class NewJob(Struct, frozen=True, kw_only=True):
    """A job to be created. `params` is JSON text that has been checked; a `run_at` that has
    come already makes it pending at once."""

    flow_id: int
    queue_id: int
    params: str = "{}"
    priority: int = 0
    context: str = ""
    run_at: Micros | None = None
    parent_id: int | None = None
    retry_of: int | None = None
    schedule_id: int | None = None
    source: str = ""
    created_by: str = ""
    unique: Unique | None = None

    @property
    def unique_key(self) -> str | None:
        """The key that no other job may have meanwhile."""
        return self.unique.key if self.unique else None


_OPTIONAL = (
    *("run_at", "context", "parent_id", "retry_of", "schedule_id", "source", "created_by"),
)
_ALWAYS = ("flow_id", "queue_id", "priority", "params")
_UNIQUE = attrgetter("unique")
_OPEN = "job_id, queue_id, flow_id, rank, attempt, losses, claim"
_READY = f"INSERT INTO ready ({_OPEN}) VALUES (?, ?, ?, ?, 1, 0, 0)"  # noqa: S608
# The new rows become ready inside the database: twice as quick as sending each again.
_READY_RANGE = (
    f"INSERT INTO ready ({_OPEN}) SELECT id, queue_id, flow_id, -priority, 1, 0, 0 "  # noqa: S608
    "FROM jobs WHERE id BETWEEN ? AND ? AND (run_at IS NULL OR run_at <= ?)"
)
_DELAYED_RANGE = (
    f"INSERT INTO delayed ({_OPEN}, status, run_at) "  # noqa: S608
    f"SELECT id, queue_id, flow_id, -priority, 1, 0, 0, {int(Code.SCHEDULED)}, run_at "
    "FROM jobs WHERE id BETWEEN ? AND ? AND run_at > ?"
)

# One statement, so one round trip. Numbers are drawn in the order of the arrays, so the n-th
# smallest is that of the n-th job. A pool that sleeps hears of it when the transaction commits.
_POSTGRES = f"""
WITH new AS (
    INSERT INTO jobs ({{columns}}, status, created_at)
    SELECT {{values}}, {int(Code.OPEN)}, %(now)s::bigint FROM {{rows}}{{guard}}
    RETURNING id, queue_id, flow_id, priority, run_at
), {{waiting}}, counted AS (
    INSERT INTO counters (status, queue_id, flow_id, shard, n)
    {{counted}}
    ON CONFLICT (status, queue_id, flow_id, shard) DO UPDATE SET n = counters.n + excluded.n
)
SELECT id, (SELECT pg_notify('jobdeck_wake', '') FROM pools WHERE asleep LIMIT 1) FROM new
ORDER BY id
"""  # noqa: S608
_NOW_POSTGRES = f"""waiting AS (
    INSERT INTO ready ({_OPEN}) SELECT id, queue_id, flow_id, -priority, 1, 0, 0 FROM new
)"""  # noqa: S608
# Only if the flow and its pipeline are as they were when they were read.
_GUARD_SQLITE = """WHERE EXISTS (
    SELECT 1 FROM flows f JOIN pipelines p ON p.id = f.pipeline_id
    WHERE f.id = ? AND f.removed_at IS NULL AND f.updated_at = ?
        AND p.published_version = ? AND p.updated_at = ?
)"""
_GUARD_POSTGRES = """ WHERE EXISTS (
    SELECT 1 FROM flows f JOIN pipelines p ON p.id = f.pipeline_id
    WHERE f.id = %(flow_id)s::int AND f.removed_at IS NULL
        AND f.updated_at = %(flow_updated_at)s::bigint
        AND p.published_version = %(published)s::int
        AND p.updated_at = %(pipeline_updated_at)s::bigint
)"""
_BY_TIME_POSTGRES = f"""waiting AS (
    INSERT INTO ready ({_OPEN})
    SELECT id, queue_id, flow_id, -priority, 1, 0, 0 FROM new
    WHERE run_at IS NULL OR run_at <= %(now)s::bigint
), later AS (
    INSERT INTO delayed ({_OPEN}, status, run_at)
    SELECT id, queue_id, flow_id, -priority, 1, 0, 0, {int(Code.SCHEDULED)}, run_at FROM new
    WHERE run_at > %(now)s::bigint
)"""  # noqa: S608
# The planner need not sort and group what is known to be alike.
_COUNT_ALIKE = f"""SELECT {int(Code.PENDING)}, %(queue_id)s::int, %(flow_id)s::int,
        %(shard)s::int, %(count)s::bigint FROM new LIMIT 1"""  # noqa: S608
_COUNT = f"""SELECT CASE WHEN run_at > %(now)s::bigint THEN {int(Code.SCHEDULED)}
        ELSE {int(Code.PENDING)} END, queue_id, flow_id, %(shard)s::int, count(*)
    FROM new GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: S608
_TYPES = {
    "flow_id": "int",
    "queue_id": "int",
    "priority": "int",
    "params": "text",
    "run_at": "bigint",
    "context": "text",
    "parent_id": "bigint",
    "retry_of": "bigint",
    "schedule_id": "int",
    "source": "text",
    "created_by": "text",
    "unique_key": "text",
}


def enqueue(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    """Create the jobs and give their numbers, in the same order; `Kept` ones where a job with
    the same unique key was there already, and is to be kept.

    Raises:
        Duplicate: another job has that unique key; nothing was created.
    """
    if not new:
        return []
    if any(map(_UNIQUE, new)):
        return _enqueue_apart(conn, new, now)
    return _insert_new(conn, new, now)


def _enqueue_apart(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    """Take the keys, then create the jobs; what is refused leaves nothing behind, whatever else
    the transaction is for."""
    tries = TRIES
    while True:
        try:
            with conn.begin_nested():
                return _enqueue_unique(conn, new, now)
        except Exception as error:
            # Keys that somebody lets go meanwhile may be taken in another order than others take
            # them. Of two that then wait for each other PostgreSQL ends one, which lets its keys
            # go and begins anew.
            tries -= 1
            if not tries or not is_deadlock(error):
                raise


def enqueue_as_read(conn: Connection, job: NewJob, stamp: Stamp, now: Micros) -> int | None:
    """Create one job without a unique key by a statement that also checks that the flow still
    has that stamp; gives its number, or None if it has not."""
    if conn.dialect.name == "sqlite":
        return _insert_one(conn, job, _used([job]), now, stamp)
    _, flow_updated_at, published, pipeline_updated_at = stamp
    used = _used([job])
    arguments = {name: getattr(job, name) for name in (*_ALWAYS, *used)}
    arguments |= {
        "now": now,
        "shard": _shard(conn),
        "count": 1,
        "flow_updated_at": flow_updated_at,
        "published": published,
        "pipeline_updated_at": pipeline_updated_at,
    }
    # Straight to the driver: SQLAlchemy adds a tenth to the call.
    statement = _insert_select((), (*_ALWAYS, *used), guarded=True)
    row = driver(conn).execute(statement, arguments).fetchone()
    conn.info[TOLD] = True
    return None if row is None else row[0]


def _insert_new(
    conn: Connection, new: Sequence[NewJob], now: Micros, *, keyed: bool = False
) -> list[int]:
    """`keyed` says that some of them have unique keys: asking each again would cost time."""
    used = (*_used(new), "unique_key") if keyed else _used(new)
    if conn.dialect.name != "sqlite":
        return _insert_postgres(conn, new, used, now)
    if len(new) == 1:
        one = _insert_one(conn, new[0], used, now)
        assert one is not None
        return [one]
    return _insert_many(conn, new, used, now)


def _enqueue_unique(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    """Take the keys, then create the jobs that got theirs."""
    first: dict[str, int] = {}
    for index, job in enumerate(new):
        if job.unique:
            first.setdefault(job.unique.key, index)
    held = unique_keys.take(conn, {key: _until(new[index]) for key, index in first.items()}, now)
    fresh: list[int] = []
    for index, job in enumerate(new):
        if job.unique is None or (job.unique.key not in held and first[job.unique.key] == index):
            fresh.append(index)
        elif not job.unique.keep:
            raise _duplicate(new, index, first[job.unique.key], held.get(job.unique.key))
    ids = _insert_new(conn, [new[i] for i in fresh], now, keyed=True) if fresh else []
    made = dict(zip(fresh, ids, strict=True))
    unique_keys.give(conn, [(key, made[at]) for key, at in first.items() if at in made])
    found = {key: holder.job_id for key, holder in held.items()}
    found |= {key: made[at] for key, at in first.items() if at in made}
    return [
        made[i] if i in made else Kept(found[job.unique_key or ""]) for i, job in enumerate(new)
    ]


def _until(job: NewJob) -> Micros | None:
    return job.unique.until if job.unique else None


def _duplicate(
    new: Sequence[NewJob], index: int, first: int, holder: unique_keys.Holder | None
) -> Duplicate:
    key = new[index].unique_key or ""
    where = f"items[{index}].unique_key: " if len(new) > 1 else ""
    if holder is None:
        return Duplicate(
            f"{where}items[{first}] has {describe(key)}, too; leave one of them out, or keep the "
            "first one with on_duplicate='keep'"
        )
    return duplicate(holder, where)


def duplicate(holder: unique_keys.Holder, where: str = "", deed: str = "") -> Duplicate:
    """The error that names the job which has the key."""
    if holder.status == Code.OPEN:
        state, hint = "and has not ended", "Wait until it has"
    else:
        state, hint = f"until {to_iso(holder.until or 0)}", "Wait until then"
    rest = deed or ", or keep it with on_duplicate='keep'"
    return Duplicate(
        f"{where}Job {holder.job_id} has {describe(holder.key)} {state}. {hint}{rest}.",
        job=holder.job_id,
    )


def _code(job: NewJob, now: Micros) -> Code:
    return Code.PENDING if job.run_at is None or job.run_at <= now else Code.SCHEDULED


def _used(new: Sequence[NewJob]) -> tuple[str, ...]:
    """The optional columns that any of the jobs sets. Binding a None costs sqlite3 as much as
    ten numbers, so the others are left out: five times as quick."""
    return tuple(name for name in _OPTIONAL if any(getattr(job, name) for job in new))


@cache
def _insert(used: tuple[str, ...], guarded: bool = False) -> str:
    columns = ("flow_id", "queue_id", "priority", "params", "created_at", *used, "status")
    values = ", ".join([*("?" * (len(columns) - 1)), str(int(Code.OPEN))])
    rows = f"SELECT {values} {_GUARD_SQLITE}" if guarded else f"VALUES ({values})"
    return f"INSERT INTO jobs ({', '.join(columns)}) {rows}"


def _row(job: NewJob, used: tuple[str, ...], now: Micros) -> tuple[Any, ...]:
    row = (job.flow_id, job.queue_id, job.priority, job.params, now)
    return (*row, *[getattr(job, name) or None for name in used]) if used else row


def _insert_one(
    conn: Connection, job: NewJob, used: tuple[str, ...], now: Micros, stamp: Stamp | None = None
) -> int | None:
    """The number of the new job; None if the flow no longer has the stamp that it should."""
    # Straight to the driver: SQLAlchemy would take longer than SQLite does.
    execute = driver(conn).execute
    made = execute(_insert(used, stamp is not None), (*_row(job, used, now), *(stamp or ())))
    if not made.rowcount:
        return None
    job_id: int = made.lastrowid
    code = _code(job, now)
    if code == Code.PENDING:
        execute(_READY, (job_id, job.queue_id, job.flow_id, -job.priority))
    else:
        execute(_DELAYED_RANGE, (job_id, job_id, now))
    execute(counters.UPSERT_SQLITE, (int(code), job.queue_id, job.flow_id, 1))
    return job_id


def _insert_many(
    conn: Connection, new: Sequence[NewJob], used: tuple[str, ...], now: Micros
) -> list[int]:
    # The write lock is held, so the numbers of one executemany follow each other.
    conn.exec_driver_sql(_insert(used), [_row(job, used, now) for job in new])
    sequence = "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'"
    last: int = conn.exec_driver_sql(sequence).scalar_one()
    first = last - len(new) + 1
    conn.exec_driver_sql(_READY_RANGE, (first, last, now))
    if "run_at" in used:
        conn.exec_driver_sql(_DELAYED_RANGE, (first, last, now))
    deltas: Counter[counters.Key] = Counter(
        (_code(job, now), job.queue_id, job.flow_id) for job in new
    )
    counters.change(conn, deltas)
    return list(range(first, last + 1))


@cache
def _insert_select(
    arrays: tuple[str, ...], scalars: tuple[str, ...], *, guarded: bool = False
) -> str:
    taken = [f"%({name})s::{_TYPES[name]}[]" for name in arrays]
    rows = f"unnest({', '.join(taken)})" if arrays else "(VALUES (1))"
    rows += f" AS job({', '.join(arrays or ('one',))})"
    values = [*(f"job.{name}" for name in arrays), *(f"%({n})s::{_TYPES[n]}" for n in scalars)]
    at_once = "run_at" not in (*arrays, *scalars)
    return _POSTGRES.format(
        columns=", ".join((*arrays, *scalars)),
        values=", ".join(values),
        rows=rows,
        guard=_GUARD_POSTGRES if guarded else "",
        waiting=_NOW_POSTGRES if at_once else _BY_TIME_POSTGRES,
        counted=_COUNT_ALIKE if at_once and {"queue_id", "flow_id"} <= set(scalars) else _COUNT,
    )


def _shard(conn: Connection) -> int:
    own: int | None = conn.info.get(counters.OWN_SHARD)
    return counters.shard() if own is None else own


def _insert_postgres(
    conn: Connection, new: Sequence[NewJob], used: tuple[str, ...], now: Micros
) -> list[int]:
    # What is alike in all of them is sent once.
    arguments: dict[str, Any] = {"now": now, "shard": _shard(conn), "count": len(new)}
    arrays, scalars = [], []
    for name in (*_ALWAYS, *used):
        values = [getattr(job, name) for job in new]
        if values.count(values[0]) == len(values):
            scalars.append(name)
            arguments[name] = values[0]
        else:
            arrays.append(name)
            optional = name in _OPTIONAL or name == "unique_key"
            arguments[name] = [value or None for value in values] if optional else values
    if not arrays and len(new) > 1:
        scalars.remove("params")
        arrays.append("params")
        arguments["params"] = [job.params for job in new]
    if "params" in arrays:
        arguments["params"] = lines_array(arguments["params"])
    for name in {"flow_id", "queue_id", "priority"}.intersection(arrays):
        arguments[name] = numbers_array(arguments[name])
    statement = _insert_select(tuple(arrays), tuple(scalars))
    ids = list(conn.exec_driver_sql(statement, arguments).scalars())
    conn.info[TOLD] = True
    return ids
