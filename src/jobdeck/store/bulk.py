"""The jobs that a bulk job is about, and what became of each; waiting jobs changed in place."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, literal, select, update

from jobdeck.domain.bulk import OUTCOMES, WAITING, Item
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.rows import among, insert_new_rows
from jobdeck.store.tables import bulk_items, delayed, jobs, ready
from jobdeck.store.values import is_number

_COLUMNS = (bulk_items.c.target, bulk_items.c.outcome, bulk_items.c.message)


def add(conn: Connection, job_id: int, targets: Sequence[int]) -> None:
    """These jobs are to be changed, too."""
    insert_new_rows(conn, bulk_items, ("job_id", "target"), [(job_id, each) for each in targets])


def items(
    conn: Connection, job_id: int, *, after: int = 0, outcome: str = "", limit: int = PAGE
) -> list[Item]:
    """What became of the jobs with numbers above `after`, in their order; only of those with
    that outcome, or of those that are still waiting for their turn.

    Raises:
        InvalidValue: there is no such outcome.
    """
    if outcome and outcome not in OUTCOMES:
        raise InvalidValue("outcome", f"{outcome!r} is none of {', '.join(OUTCOMES)}")
    if not (is_number(job_id) and is_number(after)):
        return []
    query = (
        select(*_COLUMNS)
        .where(bulk_items.c.job_id == job_id, bulk_items.c.target > after)
        .order_by(bulk_items.c.target)
        .limit(limit)
    )
    if outcome:
        kept = None if outcome == WAITING else outcome
        query = query.where(
            bulk_items.c.outcome.is_(None) if kept is None else bulk_items.c.outcome == kept
        )
    return [
        Item(job=row.target, outcome=row.outcome or "", message=row.message or "")
        for row in conn.execute(query)
    ]


def note(conn: Connection, job_id: int, results: Sequence[Item]) -> None:
    """Keep what became of them."""
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in results:
        alike[item.outcome, item.message].append(item.job)
    for (outcome, message), targets in alike.items():
        own = (bulk_items.c.job_id == job_id) & among(conn, bulk_items.c.target, targets)
        values = {"outcome": outcome, "message": message or None}
        conn.execute(update(bulk_items).where(own).values(values))


def set_priority(conn: Connection, job_ids: Sequence[int], priority: int) -> list[int]:
    """Give those of the jobs that wait, and that no pool holds, another priority; gives their
    numbers."""
    changed: list[int] = []
    for table in (ready, delayed):
        statement = update(table).where(among(conn, table.c.job_id, job_ids)).values(rank=-priority)
        changed += conn.execute(statement.returning(table.c.job_id)).scalars()
    conn.execute(update(jobs).where(among(conn, jobs.c.id, changed)).values(priority=priority))
    return changed


def move(conn: Connection, job_ids: Sequence[int], queue_id: int) -> list[int]:
    """Let those of the jobs that wait, and that no pool holds, wait in another queue; gives
    their numbers."""
    moved: list[tuple[int, counters.Key]] = []
    for table, status in ((ready, literal(int(Code.PENDING))), (delayed, delayed.c.status)):
        c = table.c
        own = among(conn, c.job_id, job_ids)
        query = select(c.job_id, status, c.queue_id, c.flow_id).where(own).with_for_update()
        rows = conn.execute(query).fetchall()
        some = among(conn, c.job_id, [row[0] for row in rows])
        conn.execute(update(table).where(some).values(queue_id=queue_id))
        moved += [(row[0], (row[1], row[2], row[3])) for row in rows]
    found = [job_id for job_id, _ in moved]
    conn.execute(update(jobs).where(among(conn, jobs.c.id, found)).values(queue_id=queue_id))
    deltas: Counter[counters.Key] = Counter()
    for _, (code, before, flow_id) in moved:
        deltas[code, before, flow_id] -= 1
        deltas[code, queue_id, flow_id] += 1
    counters.change(conn, deltas)
    return found
