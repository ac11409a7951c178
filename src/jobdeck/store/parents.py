"""Jobs that fanned out: creating their children once, and waking them when the last has ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.claims import READY, requeue
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.tables import children, jobs, parents, running, steps
from jobdeck.store.values import AnyRow, insert_into

RULES = ("all", "any", "never")
"""When a parent fails with its children."""

_COLUMN = {Code.COMPLETED: "completed", Code.FAILED: "failed", Code.STOPPED: "stopped"}


def add_children(
    conn: Connection,
    parent_id: int,
    step: str,
    start: int,
    new: Sequence[NewJob],
    now: Micros,
    fails_when: str = "all",
) -> list[int]:
    """Create the children with the indexes from `start` on that the step does not have yet;
    gives the numbers of the new ones. Repeating it after a crash creates nothing twice.

    `fails_when` is the rule for children that do not complete, see `ends`; the latest one counts.
    """
    known = set(
        conn.execute(
            select(children.c.index).where(
                children.c.parent_id == parent_id,
                children.c.step == step,
                children.c.index.between(start, start + len(new) - 1),
            )
        ).scalars()
    )
    missing = [(start + i, job) for i, job in enumerate(new) if start + i not in known]
    if not missing:
        return []
    ids = enqueue(conn, [job for _, job in missing], now)
    conn.execute(
        insert(children),
        [
            {"parent_id": parent_id, "step": step, "index": index, "job_id": job_id}
            for (index, _), job_id in zip(missing, ids, strict=True)
        ],
    )
    added = insert_into(conn, parents).values(
        job_id=parent_id, total=len(ids), fails_when=fails_when
    )
    conn.execute(
        added.on_conflict_do_update(
            index_elements=["job_id"],
            set_={
                "total": parents.c.total + added.excluded.total,
                "fails_when": added.excluded.fails_when,
            },
        )
    )
    return ids


class Family(NamedTuple):
    """A parent with what became of its children."""

    job_id: int
    total: int
    completed: int
    failed: int
    stopped: int
    fails_when: str

    @property
    def open(self) -> int:
        """How many have not ended."""
        return self.total - self.completed - self.failed - self.stopped

    @property
    def ends(self) -> Code | None:
        """How the parent ends with them, if it does not go on: failed or stopped, when none of
        them has completed, or (by the rule `any`) as soon as one has not."""
        lacks = self.failed + self.stopped
        needed = {"all": self.total, "any": 1}.get(self.fails_when)
        if needed is None or not 0 < needed <= lacks:
            return None
        return Code.FAILED if self.failed else Code.STOPPED

    @property
    def verdict(self) -> str:
        """What became of those that did not complete, in words."""
        parts = []
        if self.failed:
            parts.append(f"{self.failed} of {self.total} children failed")
        if self.stopped:
            of_all = "" if parts else f" of {self.total} children"
            parts.append(f"{self.stopped}{of_all} were stopped")
        return ", ".join(parts)


_FAMILY = tuple(parents.c[name] for name in Family._fields)


def lock(conn: Connection, parent_id: int) -> Family | None:
    """The family as it stands; it changes no more until the transaction ends."""
    row = conn.execute(
        select(*_FAMILY).where(parents.c.job_id == parent_id).with_for_update()
    ).first()
    return Family._make(row) if row else None


def awaited(conn: Connection, job_ids: Sequence[int]) -> set[int]:
    """Those of the jobs that have done a step whose children have not all ended."""
    p = parents.c
    ended = p.completed + p.failed + p.stopped
    query = select(p.job_id).where(p.job_id.in_(job_ids), p.total > ended)
    c = children.c
    still_open = (
        select(c.job_id)
        .join(jobs, (jobs.c.id == c.job_id) & (jobs.c.status == Code.OPEN))
        .join(steps, (steps.c.job_id == c.parent_id) & (steps.c.name == c.step))
        .where(c.parent_id == p.job_id, steps.c.status == Code.COMPLETED)
    )
    return set(conn.execute(query.where(still_open.exists())).scalars())


def park(conn: Connection, job_id: int, claim: int, began_at: Micros | None) -> AnyRow | None:
    """Let the job wait for its children without a worker; gives its row of `running`, or None
    if the claim no longer holds."""
    return conn.execute(
        update(running)
        .where(running.c.job_id == job_id, running.c.claim == claim)
        .values(pool_id=None, worker_id=None, begun_at=began_at)
        .returning(running)
    ).first()


def unpark(conn: Connection, job_id: int) -> bool:
    """Make a parked job ready for its next step; it is no new attempt."""
    columns = [running.c[name] for name in READY]
    row = conn.execute(
        delete(running)
        .where(running.c.job_id == job_id, running.c.pool_id.is_(None))
        .returning(*columns)
    ).first()
    if row is None:
        return False
    requeue(conn, [tuple(row)])
    deltas: Counter[counters.Key] = Counter()
    deltas[Code.RUNNING, row.queue_id, row.flow_id] -= 1
    deltas[Code.PENDING, row.queue_id, row.flow_id] += 1
    counters.change(conn, deltas)
    return True


def children_ended(conn: Connection, ended: Sequence[tuple[int, Code]]) -> list[Family]:
    """Count children that ended for good; gives the families of which no child is open now."""
    by_parent: dict[int, Counter[str]] = defaultdict(Counter)
    for parent_id, code in ended:
        by_parent[parent_id][_COLUMN[code]] += 1
    complete = []
    for parent_id, numbers in sorted(by_parent.items()):
        row = conn.execute(
            update(parents)
            .where(parents.c.job_id == parent_id)
            .values({name: parents.c[name] + n for name, n in numbers.items()})
            .returning(*_FAMILY)
        ).first()
        if row is not None and Family._make(row).open <= 0:
            complete.append(Family._make(row))
    return complete


def child_reopened(conn: Connection, parent_id: int, code: Code) -> None:
    """An ended child was retried: its parent counts it as open again."""
    column = _COLUMN[code]
    conn.execute(
        update(parents).where(parents.c.job_id == parent_id).values({column: parents.c[column] - 1})
    )
