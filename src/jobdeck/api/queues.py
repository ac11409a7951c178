"""Calls about queues; `all` in the place of a name means every queue but the built-in ones."""

from litestar import Controller, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from jobdeck.actions import queues as actions
from jobdeck.api.flows import given
from jobdeck.api.kinds import Items
from jobdeck.client import requests, shapes
from jobdeck.domain import clock
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import queues


class StoppedJobs(Struct, frozen=True):
    """How many pending jobs were stopped, in all and in each queue."""

    stopped: int
    queues: dict[str, int]


class QueuesApi(Controller):
    """`/queues`."""

    path = "/queues"
    tags = ("queues",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all(self, deck: AtDeck) -> Items[shapes.Queue]:
        """Every queue by name, with how many jobs are in it and how long the next has waited."""
        with deck.store.read() as conn:
            found = queues.all(conn, clock.now())
        return Items([shapes.Queue.of(queue) for queue in found])

    @get("/{name:str}", opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck, name: FromPath[str]) -> shapes.Queue:
        """One queue."""
        with deck.store.read() as conn:
            return shapes.Queue.of(queues.get(conn, name, clock.now()))

    @patch("/{name:str}", opt=OPERATOR, sync_to_thread=True)
    def limit(
        self, deck: AtDeck, actor: By, name: FromPath[str], data: JSONBody[requests.QueueLimits]
    ) -> shapes.Queue:
        """Limit how many of its jobs run at once, and at which rate they start; null takes a
        limit away."""
        return shapes.Queue.of(actions.limit(deck.store, actor, data.reason, name, given(data)))

    @post("/{name:str}/pause", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def pause(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Items[shapes.Queue]:
        """Hand out no more of its jobs; what runs goes on, and no status changes."""
        found = actions.pause(deck.store, actor, data.reason, name)
        return Items([shapes.Queue.of(queue) for queue in found])

    @post("/{name:str}/resume", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def resume(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Items[shapes.Queue]:
        """Hand out its jobs again."""
        found = actions.resume(deck.store, actor, data.reason, name)
        return Items([shapes.Queue.of(queue) for queue in found])

    @post("/{name:str}/stop", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def stop(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> StoppedJobs:
        """Stop the jobs that are pending in it; running, scheduled and retrying ones go on."""
        done = actions.stop(deck.store, actor, data.reason, name)
        return StoppedJobs(done.total, done.queues)
