"""What all parts of the machine stand on: the store, its model, the clock, and sudden deaths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import Connection, select

from jobdeck.domain import builtin, clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Code
from jobdeck.store import builtin as own
from jobdeck.store import flows, pipelines, pools, queues
from jobdeck.store import tables as t
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from tests.proof.machine.model import Job, Model
from tests.store.world import manifest

START = 1_780_000_000 * SECOND
ANA = Actor("ana", Role.OPERATOR)
FLOWS = {"mail": "mail", "etl": "etl", "report": "etl"}
POOLS = 3


class Died(Exception):
    """The process that was at it has died."""


class Mortal:
    """A store as a process sees it that dies before it commits its transaction after `lives`
    others; `before` is what others do before each of its transactions."""

    def __init__(
        self, store: Store, lives: int = 1000, before: Callable[[], object] | None = None
    ) -> None:
        self._store = store
        self._lives = lives
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def write(self, *, wake: bool = False) -> Iterator[Connection]:
        """As the store's own."""
        if self._before is not None:
            self._before()
        with self._store.write(wake=wake) as conn:
            yield conn
            self._lives -= 1
            if self._lives < 0:
                raise Died


class Stand(RuleBasedStateMachine):
    """An empty store with three flows in two queues, and three pools."""

    opened: ClassVar[staticmethod[[], Store]]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.opened()
        self.model = Model()
        self.now = START
        self._clock = clock.now
        clock.now = lambda: self.now
        self.pools: list[int] = []

    def teardown(self) -> None:
        clock.now = self._clock
        self.store.close()

    def define(self) -> None:
        """Enter all that jobs need."""
        with self.store.write() as conn:
            for name, queue in FLOWS.items():
                pipelines.register(conn, manifest(name, queue), START, publish=True)
            self.queue_ids = {name: queues.ids(conn)[name] for name in set(FLOWS.values())}
            self.flow_ids = [flows.get(conn, name).id for name in FLOWS]
            self.queue_of = {
                flow: self.queue_ids[queue]
                for flow, queue in zip(self.flow_ids, FLOWS.values(), strict=True)
            }
            self.flow_names = dict(zip(self.flow_ids, FLOWS, strict=True))
            self.own_flow, self.own_queue = own.ensure(conn, builtin.BULK, START)
            self.flow_names[self.own_flow] = builtin.BULK.name
            queues.ensure(conn, builtin.SCHEDULER, builtin=True)
            self.pools = [self.open_pool(conn) for _ in range(POOLS)]
            self.maintenance = self.open_pool(conn, builtin=True)
            self.define_more(conn)

    def define_more(self, conn: Connection) -> None:
        """For what only some parts need."""

    def open_pool(self, conn: Connection, **more: Any) -> int:
        """A new pool, which has just told that it lives."""
        number = pools.open(conn, "host", 1, 1, [], self.now, **more)
        self.model.beats[number] = self.now
        return number

    def job_of(self, flow: int, priority: int = 0, delay: int = 0, **more: Any) -> NewJob:
        """A job to create."""
        return NewJob(
            flow_id=flow,
            queue_id=self.queue_of[flow],
            priority=priority,
            run_at=self.now + delay * SECOND if delay else None,
            **more,
        )

    def note(self, job_id: int, new: NewJob) -> Job:
        """It was created."""
        later = new.run_at is not None
        job = Job(
            id=job_id,
            flow=new.flow_id,
            queue=new.queue_id,
            priority=new.priority,
            place="delayed" if later else "ready",
            code=Code.SCHEDULED if later else Code.PENDING,
            parent=new.parent_id,
            run_at=new.run_at,
            schedule=new.schedule_id,
        )
        self.model.add(job)
        return job

    def unknown(self) -> list[Any]:
        """The rows of jobs that the model has not heard of, by number."""
        with self.store.read() as conn:
            rows = conn.execute(select(t.jobs).order_by(t.jobs.c.id)).fetchall()
        return [row for row in rows if row.id not in self.model.jobs]
