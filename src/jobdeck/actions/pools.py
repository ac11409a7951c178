"""What may be asked for of pools and their workers: freeing workers, draining a pool."""

from msgspec import Struct

from jobdeck.actions.perform import Tx, action
from jobdeck.domain.errors import WrongState
from jobdeck.domain.records import Pool
from jobdeck.domain.roles import Role
from jobdeck.store import events, pools, stops

ALL = "all"
"""In the place of a number: every one."""


class Freed(Struct, frozen=True, kw_only=True):
    """What freeing came to for one job of a worker: it was asked to stop, or why it was not."""

    worker: int
    job: int | None = None
    error: str = ""


@action("worker.free", Role.OPERATOR, "free workers", wakes=True)
def free(tx: Tx, worker_id: int | None) -> list[Freed]:
    """Ask the job that the worker (None: every busy worker) runs to stop, or all those that
    share it; what does not end within the grace time is killed. Each has its own outcome.

    Raises:
        NotFound: no such worker.
        WrongState: that one worker runs nothing.
    """
    tx.target = f"worker {ALL if worker_id is None else worker_id}"
    if worker_id is not None and pools.worker(tx.conn, worker_id).job is None:
        raise WrongState(f"Worker {worker_id} runs nothing; there is nothing to free it of.")
    runs = pools.begun(tx.conn)
    known = {worker.id for worker in pools.list_workers(tx.conn, runs=runs)}
    wanted = known if worker_id is None else {worker_id}
    asked = sorted((run.job_id, run.worker_id) for run in runs if run.worker_id in wanted)
    outcomes = [_free(tx, each, job_id) for job_id, each in asked]
    tx.detail = {"stopped": [outcome.job for outcome in outcomes if not outcome.error]}
    if outcomes:
        tx.changed("pool", "", "freed")
    return outcomes


def _free(tx: Tx, worker_id: int, job_id: int) -> Freed:
    asked = stops.request_stop(
        tx.conn, [job_id], kind="stop", by=tx.actor.name, why=tx.reason, now=tx.now
    )
    if not asked:
        return Freed(worker=worker_id, job=job_id, error="its job has just ended")
    events.add(tx.conn, job_id, tx.now, "stop_asked", tx.reason, tx.actor.name)
    tx.changed("job", job_id, "stopped")
    return Freed(worker=worker_id, job=job_id)


@action("pool.drain", Role.OPERATOR, "drain pools", wakes=True)
def drain(tx: Tx, pool_id: int) -> Pool:
    """Let the pool take no more jobs and finish what it runs. Its process stays until it is
    ended, so that a supervisor does not start a new one in its place.

    Raises:
        NotFound: no such pool.
        WrongState: it is lost.
    """
    tx.target = f"pool {pool_id}"
    pools.get(tx.conn, pool_id)
    if not pools.set_state(tx.conn, pool_id, "draining"):
        raise WrongState(f"Pool {pool_id} is lost; its jobs go to other pools.")
    tx.changed("pool", pool_id, "draining")
    return pools.get(tx.conn, pool_id)
