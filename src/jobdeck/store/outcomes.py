"""How a claim ends: for good, with another attempt to come, lost, untouched, or parked until
the job's children have ended. Whoever reports late, or twice, changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import compress
from operator import is_, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code, Reason
from jobdeck.store import counters, error_groups, followers, parents, triggered, volume
from jobdeck.store.claims import READY, release, requeue
from jobdeck.store.rows import insert_rows, numbers_array
from jobdeck.store.tables import attempts, delayed, jobs, running, steps, unsuccessful
from jobdeck.store.values import AnyRow
from jobdeck.store.volume import FINE

_FINAL_CODES = frozenset({Code.COMPLETED, Code.FAILED, Code.STOPPED})
ATTEMPT = (
    *("job_id", "attempt", "status", "reason", "message", "error", "started_at", "finished_at"),
    *("pool_id", "worker_id", "cpu_us", "max_rss_kb"),
)


class Ending(NamedTuple):
    """The end of one claim.

    `code` is COMPLETED, FAILED or STOPPED for good; RETRYING with `run_at`; PENDING: lost if
    `began`, else untouched; RUNNING: parked. `lost` counts a loss against the job. `shown` says
    whether the job was shown as running, which the counters must know. `attempt` is the one of
    this claim; `created_at` is looked up where it is None.
    """

    job_id: int
    queue_id: int
    flow_id: int
    rank: int
    attempt: int
    losses: int
    claim: int
    code: Code
    shown: bool
    began: bool
    finished_at: Micros
    started_at: Micros | None = None
    pool_id: int | None = None
    worker_id: int | None = None
    version: int | None = None
    parent_id: int | None = None
    result: str | None = None
    reason: str | None = None
    message: str | None = None
    lost: bool = False
    error: str | None = None
    run_at: Micros | None = None
    cpu_us: int | None = None
    max_rss_kb: int | None = None
    created_at: Micros | None = None


def _pick(*names: str) -> Callable[[Ending], tuple[Any, ...]]:
    """Several fields of an ending at once: much quicker than one by one."""
    return itemgetter(*(Ending._fields.index(name) for name in names))


_KEY = _pick("job_id", "claim")
_CODE = itemgetter(Ending._fields.index("code"))
_BEGAN = itemgetter(Ending._fields.index("began"))
_STOOD = _pick("queue_id", "flow_id", "code", "shown", "created_at")


def finish(conn: Connection, endings: Sequence[Ending]) -> list[Ending]:
    """Record the endings whose claim still holds, and give those.

    A job has at most one of them in a call.
    """
    if not endings:
        return []
    now = max(ending.finished_at for ending in endings)
    # Nearly always all have completed.
    codes = set(map(_CODE, endings))
    parked = [e for e in endings if e.code == Code.RUNNING] if Code.RUNNING in codes else []
    leaving = [e for e in endings if e.code != Code.RUNNING] if parked else endings
    leaving = _heed_stops(conn, leaving) if not codes <= _FINAL_CODES else leaving
    accepted = leaving
    if leaving:
        held = release(conn, list(map(_KEY, leaving)))
        if held is not None:
            accepted = [ending for ending in leaving if ending.job_id in held]
    final = accepted
    if not codes <= _FINAL_CODES:
        final = [e for e in accepted if e.code in _FINAL_CODES]
        _come_back(conn, [e for e in accepted if e.code not in _FINAL_CODES])
    close(conn, final)
    _count(conn, accepted)
    wake_parents(conn, [(e.parent_id, e.code) for e in final if e.parent_id], now)
    _let_follow(conn, final, now)
    return [*accepted, *(e for e in parked if _park(conn, e, now))]


def _come_back(conn: Connection, endings: Sequence[Ending]) -> None:
    """Those that are to be tried again, now or later."""
    _archive(conn, [e for e in endings if e.began])
    later = [e for e in endings if e.code == Code.RETRYING]
    if later:
        rows = [(*_next(e, e.losses), Code.RETRYING, e.run_at) for e in later]
        insert_rows(conn, delayed, (*READY, "status", "run_at"), rows)
    requeue(conn, [_next(e, e.losses + e.lost) for e in endings if e.code == Code.PENDING])


def _heed_stops(conn: Connection, leaving: Sequence[Ending]) -> Sequence[Ending]:
    """Who asked for a stop that the pool has not heard of yet gets it: a job that would come
    back otherwise has stopped."""
    back = [e.job_id for e in leaving if e.code in (Code.PENDING, Code.RETRYING)]
    if not back:
        return leaving
    r = running.c
    query = select(r.job_id, r.claim, r.stop_kind, r.stop_by, r.stop_reason)
    # Locked, so that a stop either stands here or finds the job where it went.
    rows = conn.execute(query.where(r.job_id.in_(back)).order_by(r.job_id).with_for_update())
    asked = {(row.job_id, row.claim): row for row in rows if row.stop_kind}
    return [_stopped(e, asked.get((e.job_id, e.claim))) for e in leaving] if asked else leaving


def _stopped(ending: Ending, asked: AnyRow | None) -> Ending:
    if asked is None or ending.code not in (Code.PENDING, Code.RETRYING):
        return ending
    reason = Reason.KILLED if asked.stop_kind == "kill" else Reason.STOPPED
    message = asked.stop_reason or f"{reason.value} by {asked.stop_by}"
    return ending._replace(
        code=Code.STOPPED, reason=reason.value, message=message, error=None, lost=False, run_at=None
    )


def _let_follow(conn: Connection, final: Sequence[Ending], now: Micros) -> None:
    """Children are part of their parent's run: what follows waits for that."""
    if followers.edges(conn, {e.flow_id for e in final}):
        ended = [triggered.Ended(e.job_id, e.flow_id, e.code) for e in final if e.parent_id is None]
        triggered.follow(conn, ended, now)


def _park(conn: Connection, ending: Ending, now: Micros) -> bool:
    family = parents.lock(conn, ending.job_id)
    row = parents.park(conn, ending.job_id, ending.claim, ending.started_at)
    if row is None:
        return False
    if not ending.shown:
        deltas: Counter[counters.Key] = Counter()
        deltas[Code.PENDING, ending.queue_id, ending.flow_id] -= 1
        deltas[Code.RUNNING, ending.queue_id, ending.flow_id] += 1
        counters.change(conn, deltas)
    if row.stop_kind:
        # Asked for while its last step ran: nobody would hear of it any more.
        reason = Reason.KILLED if row.stop_kind == "kill" else Reason.STOPPED
        _end_parked(conn, ending.job_id, Code.STOPPED, reason, row.stop_reason or "", now)
    elif family is None or family.open <= 0:
        _wake(conn, ending.job_id, family, now)
    return True


def wake_parents(conn: Connection, ended: Sequence[tuple[int, Code]], now: Micros) -> None:
    """Children have ended for good, given by parent and code: parents for which it was the last
    go on with their next step, or fail with their children."""
    for family in parents.children_ended(conn, ended):
        _wake(conn, family.job_id, family, now)


def wake_parked(conn: Connection, job_id: int, now: Micros) -> bool:
    """Let a job go on that waits for its children though none of them is open; False: it does
    not."""
    family = parents.lock(conn, job_id)
    parked = select(running.c.job_id).where(running.c.job_id == job_id, running.c.pool_id.is_(None))
    if (family is not None and family.open > 0) or conn.execute(parked).first() is None:
        return False
    _wake(conn, job_id, family, now)
    return True


def _wake(conn: Connection, job_id: int, family: parents.Family | None, now: Micros) -> None:
    ends = family.ends if family is not None else None
    if family is not None and ends is not None:
        failed = ends == Code.FAILED
        reason = Reason.CHILDREN_FAILED if failed else Reason.CHILDREN_STOPPED
        _end_parked(conn, job_id, ends, reason, family.verdict, now)
    else:
        parents.unpark(conn, job_id)


def _end_parked(
    conn: Connection, job_id: int, code: Code, reason: Reason, message: str, now: Micros
) -> None:
    row = conn.execute(
        select(*(running.c[name] for name in READY), running.c.begun_at, jobs.c.parent_id)
        .join(jobs, jobs.c.id == running.c.job_id)
        .where(running.c.job_id == job_id, running.c.pool_id.is_(None))
    ).first()
    if row is None:
        return
    ending = Ending(
        **{name: getattr(row, name) for name in READY},
        code=code,
        shown=True,
        began=True,
        started_at=row.begun_at,
        finished_at=now,
        reason=reason.value,
        message=message,
        parent_id=row.parent_id,
    )
    finish(conn, [ending])


def _next(ending: Ending, losses: int) -> tuple[int, ...]:
    e = ending
    attempt = e.attempt + e.began
    return (e.job_id, e.queue_id, e.flow_id, e.rank, attempt, losses, e.claim)


_FINAL = ("attempt", "losses", "claim", "finished_at")
_MAY_BE_NULL = (
    *("reason", "message", "started_at", "result", "error", "version"),
    *("pool_id", "worker_id", "cpu_us", "max_rss_kb"),
)
_TEXTS = frozenset({"reason", "message", "result", "error"})
_BIG = frozenset({"finished_at", "started_at", "cpu_us", "job_id"})
_OPTIONAL = _pick(*_MAY_BE_NULL)
_NONES = (None,) * len(_MAY_BE_NULL)


class _Close(NamedTuple):
    """A statement for endings that are alike, and how to take what it needs out of them."""

    statement: str
    columns: tuple[str, ...]
    arguments: Callable[[Ending], tuple[Any, ...]]


@cache
def _close_alike(code: Code, empty: tuple[bool, ...], *, sqlite: bool) -> _Close:
    """For endings with that code and these of `_MAY_BE_NULL` empty."""
    columns = (*_FINAL, *compress(_MAY_BE_NULL, (not each for each in empty)))
    used = (*columns, "job_id")
    if sqlite:
        values = f"status = {int(code)}, {' = ?, '.join(columns)} = ?"
        statement = f"UPDATE jobs SET {values} WHERE id = ?"  # noqa: S608
    else:
        arrays = ", ".join(f"%s::{_type(name)}[]" for name in used)
        values = ", ".join([f"status = {int(code)}", *(f"{name} = e.{name}" for name in columns)])
        statement = (
            f"UPDATE jobs SET {values} FROM unnest({arrays}) AS e({', '.join(used)}) "  # noqa: S608
            "WHERE jobs.id = e.job_id"
        )
    return _Close(statement, used, _pick(*used))


def _type(column: str) -> str:
    return "text" if column in _TEXTS else "bigint" if column in _BIG else "int"


def _begun_before(conn: Connection, final: Sequence[Ending]) -> Sequence[Ending]:
    """A parent that was woken and then ends before its next step began has begun all the same:
    its earlier steps belong to this attempt."""
    waited = [e.job_id for e in final if not e.began and e.claim]
    if not waited:
        return final
    s = steps.c
    query = select(s.job_id, s.attempt, func.min(s.started_at)).where(s.job_id.in_(waited))
    began = {(row[0], row[1]): row[2] for row in conn.execute(query.group_by(s.job_id, s.attempt))}
    return [
        e._replace(began=True, started_at=at)
        if not e.began and (at := began.get((e.job_id, e.attempt))) is not None
        else e
        for e in final
    ]


def close(conn: Connection, final: Sequence[Ending]) -> None:
    """Write the own rows of jobs that ended for the second and last time.

    An attempt that never began does not count.
    """
    if not final:
        return
    if not all(map(_BEGAN, final)):
        final = _begun_before(conn, final)
        final = [e if e.began else e._replace(attempt=e.attempt - 1) for e in final]
    sqlite = conn.dialect.name == "sqlite"
    # Binding a None costs sqlite3 as much as ten numbers, and the columns are null already.
    alike: dict[tuple[Code, tuple[bool, ...]], list[Ending]] = defaultdict(list)
    for ending in final:
        alike[ending.code, tuple(map(is_, _OPTIONAL(ending), _NONES))].append(ending)
    for like, group in alike.items():
        statement, columns, arguments = _close_alike(*like, sqlite=sqlite)
        rows = list(map(arguments, group))
        if sqlite:
            conn.exec_driver_sql(statement, rows)
        else:
            arrays = zip(columns, zip(*rows, strict=True), strict=True)
            sent = [list(v) if name in _TEXTS else numbers_array(v) for name, v in arrays]
            conn.exec_driver_sql(statement, tuple(sent))
    missed = [e for e in final if e.code != Code.COMPLETED]
    if missed:
        _note_unsuccessful(conn, missed)


def _note_unsuccessful(conn: Connection, missed: Sequence[Ending]) -> None:
    failures = [
        error_groups.Failure(
            e.job_id, e.flow_id, e.finished_at, e.reason or "", e.message or "", e.error
        )
        for e in missed
        if e.code == Code.FAILED
    ]
    groups = error_groups.record(conn, failures) if failures else {}
    insert_rows(
        conn,
        unsuccessful,
        ("job_id", "flow_id", "status", "finished_at", "group_id"),
        [(e.job_id, e.flow_id, int(e.code), e.finished_at, groups.get(e.job_id)) for e in missed],
    )


def _archive(conn: Connection, ended: Sequence[Ending]) -> None:
    insert_rows(
        conn,
        attempts,
        ATTEMPT,
        [
            (
                *(e.job_id, e.attempt, int(e.code), e.reason, e.message, e.error),
                *(e.started_at, e.finished_at, e.pool_id, e.worker_id, e.cpu_us, e.max_rss_kb),
            )
            for e in ended
        ],
    )


def _count(conn: Connection, accepted: Sequence[Ending]) -> None:
    # Most of a batch are alike, so they are gathered first.
    alike = Counter(
        [
            (*lane, code, shown, (at or 0) // FINE)
            for *lane, code, shown, at in map(_STOOD, accepted)
        ]
    )
    deltas: Counter[counters.Key] = Counter()
    ended: Counter[volume.Key] = Counter()
    for (queue_id, flow_id, code, shown, place), n in alike.items():
        before = Code.RUNNING if shown else Code.PENDING
        if before != code:
            deltas[before, queue_id, flow_id] -= n
            deltas[code, queue_id, flow_id] += n
        if code in _FINAL_CODES and place:
            ended[place, code, queue_id, flow_id] += n
    counters.change(conn, deltas)
    undated = [e for e in accepted if not e.created_at and e.code in _FINAL_CODES]
    volume.change(conn, ended + volume.of(conn, undated) if undated else ended)
