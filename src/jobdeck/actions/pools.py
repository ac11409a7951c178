"""What may be asked for of pools and their workers: freeing workers, draining a pool."""

from msgspec import Struct

from jobdeck.actions.perform import Tx, action
from jobdeck.domain.errors import WrongState
from jobdeck.domain.records import Pool, Worker
from jobdeck.domain.roles import Role
from jobdeck.store import events, pools, stops

ALL = "all"
"""In the place of a number: every one."""


class Freed(Struct, frozen=True, kw_only=True):
    """What freeing came to for one worker: the job that was asked to stop, or why none was."""

    worker: int
    job: int | None = None
    error: str = ""


@action("worker.free", Role.OPERATOR, "free workers", wakes=True)
def free(tx: Tx, worker_id: int | None) -> list[Freed]:
    """Ask the job that the worker (None: every busy worker) runs to stop; it is killed if it
    does not end within the grace time. Each worker has its own outcome.

    Raises:
        NotFound: no such worker.
        WrongState: that one worker runs nothing.
    """
    tx.target = f"worker {ALL if worker_id is None else worker_id}"
    if worker_id is None:
        workers = [worker for worker in pools.list_workers(tx.conn) if worker.job is not None]
    else:
        workers = [pools.worker(tx.conn, worker_id)]
        if workers[0].job is None:
            raise WrongState(f"Worker {worker_id} runs nothing; there is nothing to free it of.")
    outcomes = [_free(tx, worker) for worker in workers]
    tx.detail = {"stopped": [outcome.job for outcome in outcomes if not outcome.error]}
    if outcomes:
        tx.changed("pool", "", "freed")
    return outcomes


def _free(tx: Tx, worker: Worker) -> Freed:
    if worker.job is None:
        return Freed(worker=worker.id, error="runs nothing")
    asked = stops.request_stop(
        tx.conn, [worker.job], kind="stop", by=tx.actor.name, why=tx.reason, now=tx.now
    )
    if not asked:
        return Freed(worker=worker.id, job=worker.job, error="its job has just ended")
    events.add(tx.conn, worker.job, tx.now, "stop_asked", tx.reason, tx.actor.name)
    tx.changed("job", worker.job, "stopped")
    return Freed(worker=worker.id, job=worker.job)


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
