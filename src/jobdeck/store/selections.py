"""Which jobs an action over many of them is about, a bounded number at a time."""

from collections.abc import Sequence

from msgspec import Struct, structs
from sqlalchemy import Connection, func, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Code
from jobdeck.store import counters, listing
from jobdeck.store.rows import among
from jobdeck.store.tables import jobs, ready, running


class Survey(Struct, frozen=True, kw_only=True):
    """What a filter means: how many jobs (`more` than that if not all were counted), and the
    numbers of some of them."""

    number: int
    more: bool = False
    examples: list[int] = []


def survey(
    conn: Connection, wanted: JobFilter, *, upto: int, now: Micros, examples: int = 5
) -> Survey:
    """How many jobs up to that number the filter means; reads a bounded number of rows."""
    some, _ = listing.numbers(conn, wanted, after=0, upto=upto, limit=examples, now=now)
    if counters.can_tell(wanted) and not wanted.roots:
        return Survey(number=counters.matching(conn, wanted), examples=some)
    low, high = wanted.id
    within = structs.replace(wanted, id=(low, upto if high is None else min(high, upto)))
    counted = listing.count(conn, within, now)
    return Survey(number=counted.n, more=not counted.exact, examples=some)


def newest(conn: Connection) -> int:
    """The number of the newest job; 0 if there is none."""
    found: int | None = conn.execute(select(func.max(jobs.c.id))).scalar()
    return found or 0


def pending(conn: Connection, queue_id: int, *, upto: int, limit: int) -> list[int]:
    """Some jobs up to number `upto` that are pending in the queue and in no pool's hands."""
    query = (
        select(ready.c.job_id)
        .where(ready.c.queue_id == queue_id, ready.c.job_id <= upto)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def handed_out(conn: Connection, queue_id: int, *, upto: int) -> list[int]:
    """The jobs of the queue that a pool holds and has not begun: they are pending, too."""
    query = select(running.c.job_id).where(
        running.c.queue_id == queue_id,
        running.c.job_id <= upto,
        running.c.begun_at.is_(None),
        running.c.pool_id.is_not(None),
        running.c.stop_kind.is_(None),
    )
    return list(conn.execute(query).scalars())


def still_open(conn: Connection, job_ids: Sequence[int]) -> list[int]:
    """Those of the jobs that have not ended."""
    query = select(jobs.c.id).where(
        among(conn, jobs.c.id, job_ids), jobs.c.status == int(Code.OPEN)
    )
    return sorted(conn.execute(query).scalars())


def open_children(conn: Connection, parent_ids: Sequence[int]) -> list[int]:
    """The children of these jobs that have not ended."""
    query = select(jobs.c.id).where(
        among(conn, jobs.c.parent_id, parent_ids), jobs.c.status == int(Code.OPEN)
    )
    return sorted(conn.execute(query).scalars())
