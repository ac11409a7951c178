"""What always holds: the rows are those that the model says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis.stateful import invariant
from sqlalchemy import func, select

from jobdeck.domain.states import Code
from jobdeck.store import jobs
from jobdeck.store import tables as t
from jobdeck.store.volume import SPANS
from tests.proof.machine.model import Job
from tests.proof.machine.pools import FINAL
from tests.proof.machine.stand import Stand


class Checks(Stand):
    @invariant()
    def rows_are_as_they_should(self) -> None:
        if not self.pools:
            return
        model = self.model
        with self.store.read() as conn:
            own = {row.id: row for row in conn.execute(select(t.jobs))}
            places: dict[int, tuple[str, Any]] = {}
            for table in (t.ready, t.running, t.delayed):
                for row in conn.execute(select(table)):
                    assert row.job_id not in places, f"job {row.job_id} is in two places"
                    places[row.job_id] = (table.name, row)
            archived = Counter(conn.execute(select(t.attempts.c.job_id)).scalars())
            families = {row.job_id: row for row in conn.execute(select(t.parents))}
            unsuccessful = dict(
                tuple(row) for row in conn.execute(
                    select(t.unsuccessful.c.job_id, t.unsuccessful.c.status)
                )
            )  # fmt: skip
            c = t.counters.c
            sums = conn.execute(
                select(c.status, c.queue_id, c.flow_id, func.sum(c.n)).group_by(
                    c.status, c.queue_id, c.flow_id
                )
            )
            numbers = {tuple(row[:3]): int(row[3]) for row in sums if row[3]}
            v = t.volume.c
            kept = select(v.status, v.queue_id, v.flow_id, func.sum(v.n)).where(v.span == SPANS[-1])
            rows = conn.execute(kept.group_by(v.status, v.queue_id, v.flow_id))
            volume = {tuple(row[:3]): int(row[3]) for row in rows if row[3]}
            seen = jobs.statuses(conn, list(own))
        assert set(own) == set(model.jobs), f"{set(own) ^ set(model.jobs)} of {sorted(own)}"
        assert numbers == model.counters()
        assert volume == {key: n for key, n in model.counters().items() if key[0] in FINAL}
        assert unsuccessful == {
            j.id: int(j.code) for j in model.at("ended") if j.code != Code.COMPLETED
        }
        for job in model.jobs.values():
            place, row = places.get(job.id, ("ended", None))
            told = f"job {job.id}: {job}"
            assert place == job.place, told
            assert seen[job.id] == job.seen_as.status, told
            assert archived[job.id] == job.archived, told
            if row is None:
                _check_ended(job, own[job.id], told)
            else:
                _check_open(job, row, own[job.id], told)
            if job.total:
                family = families[job.id]
                assert family.total == job.total, told
                assert [family.completed, family.failed, family.stopped] == [
                    job.ended[code] for code in FINAL
                ], told


def _check_open(job: Job, row: Any, own: Any, told: str) -> None:
    assert own.status == Code.OPEN, told
    assert row.rank == -job.priority, told
    assert (row.attempt, row.losses, row.claim) == (job.attempt, job.losses, job.claim), told
    if job.place == "running":
        assert (row.pool_id, row.begun_at is not None) == (job.pool, job.shown), told
        assert (row.stop_kind or "") == job.stop, told
    elif job.place == "delayed":
        assert row.run_at == job.run_at, told


def _check_ended(job: Job, own: Any, told: str) -> None:
    assert own.status == int(job.code), told
    assert own.attempt == job.begun, told
    assert (own.started_at is not None) == job.ended_begun, told
