"""Calls about pools and their workers; `all` in the place of a number means every one."""

from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody

from jobdeck.actions import pools as actions
from jobdeck.api.kinds import Items
from jobdeck.api.schedules import one_or_all
from jobdeck.client import requests, shapes
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import pools


class PoolsApi(Controller):
    """`/pools`."""

    path = "/pools"
    tags = ("workers",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all(self, deck: AtDeck) -> Items[shapes.Pool]:
        """Every pool, with how many jobs it runs."""
        with deck.store.read() as conn:
            return Items([shapes.Pool.of(pool) for pool in pools.all(conn)])

    @get("/{number:str}/workers", opt=VIEWER, sync_to_thread=True)
    def workers(self, deck: AtDeck, number: FromPath[str]) -> Items[shapes.Worker]:
        """The workers of a pool, or of all."""
        pool = one_or_all(number, "pool")
        with deck.store.read() as conn:
            if pool is not None:
                pools.get(conn, pool)
            return Items([shapes.Worker.of(found) for found in pools.list_workers(conn, pool)])

    @post("/{pool_id:int}/drain", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def drain(
        self,
        deck: AtDeck,
        actor: By,
        pool_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> shapes.Pool:
        """Let it take no more jobs and finish what it runs; its process stays until it is ended."""
        return shapes.Pool.of(actions.drain(deck.store, actor, data.reason, pool_id))


class WorkersApi(Controller):
    """`/workers`."""

    path = "/workers"
    tags = ("workers",)

    @post("/{number:str}/free", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def free(
        self,
        deck: AtDeck,
        actor: By,
        number: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Items[actions.Freed]:
        """Stop the job that it runs (`all`: that every busy one runs); each has its outcome."""
        worker = one_or_all(number, "worker")
        return Items(actions.free(deck.store, actor, data.reason, worker))
