"""Jobs take items that their flow is to process only once."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from jobdeck.actions.jobs import delete
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.states import Code
from jobdeck.engine.calls import answer
from jobdeck.store import items
from jobdeck.worker.protocol import Call
from tests.proof.machine.model import Job
from tests.proof.machine.pools import Pools
from tests.proof.machine.stand import ANA

KEYS = st.lists(st.sampled_from("pq"), min_size=1, max_size=2, unique=True)
DEEDS = st.sampled_from(("claim", "claim", "claim", "seen", "processed", "defer", "release"))
HOLD_S = 3


@dataclass
class Item:
    """`job` claimed it, or put it off; `until` is how long a claim holds."""

    state: str
    job: Job
    until: Micros = 0
    deferrals: int = 0


class Items(Pools):
    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[int, str], Item] = {}

    @precondition(lambda self: self.handed)
    @rule(
        data=st.data(),
        asked=st.lists(st.tuples(DEEDS, KEYS), min_size=1, max_size=8),
        ends=st.integers(0, 7),
        deleted=st.booleans(),
    )
    def take_items(
        self, data: st.DataObject, asked: list[tuple[str, list[str]]], ends: int, deleted: bool
    ) -> None:
        """Jobs of one flow ask by turns, and one of them ends meanwhile and may be deleted."""
        [first] = self.some_handed(data, 1)
        others = [
            handed
            for handed in self.handed
            if handed.row.flow_id == first.row.flow_id and self.model.holds(handed.key)
        ]
        some = [*others[-2:], first]
        for at, (do, keys) in enumerate(asked):
            handed = some[at % len(some)]
            if at == ends:
                self.end(data, some[-1:])
                mine = self.model.jobs.get(first.row.job_id)
                if deleted and mine is not None and self.model.deletable(mine):
                    delete(self.store, ANA, "", mine.id)
                    self.model.delete(mine)
            body = {"do": do, "source": "", "keys": keys, "for_s": HOLD_S}
            job: Any = SimpleNamespace(claimed=handed.row, key=handed.key)
            with self.store.write() as conn:
                reply = answer(conn, job, Call(*handed.key, 1, "items", body), self.now)
            if self.model.holds(handed.key):
                mine = self.model.jobs[handed.row.job_id]
                expected = [key for key in keys if self._do(do, mine, key)]
                assert (reply.error, reply.value) == ("", expected)
            else:
                assert "no longer" in reply.error

    def _do(self, do: str, mine: Job, key: str) -> bool:
        """What becomes of one; whether it is told of."""
        place = mine.flow, key
        known = self.items.get(place)
        state = self._seen(known)
        own = known is not None and known.state == "claimed" and known.job is mine
        match do:
            case "seen":
                return state == "processed"
            case "processed":
                self.items[place] = Item("processed", mine, 0, known.deferrals if known else 0)
            case "claim":
                put_off = known is not None and known.state == "deferred" and known.job is mine
                free = own or state == "released" or (state == "deferred" and not put_off)
                if free:
                    deferrals = known.deferrals if known else 0
                    until = self.now + HOLD_S * SECOND
                    self.items[place] = Item("claimed", mine, until, deferrals)
                return free
            case "defer" if own and known is not None:
                known.state = "deferred" if known.deferrals < items.DEFERRALS else "processed"
                known.deferrals += 1
            case "release" if own and known is not None:
                if known.deferrals:
                    known.state, known.job = "deferred", NOBODY
                else:
                    del self.items[place]
        return False

    def _seen(self, item: Item | None) -> str:
        """What everybody sees of it: an end of its job other than completion frees it."""
        if item is None:
            return "released"
        if item.state != "claimed":
            return item.state
        if not item.job.open and item.job.code == Code.COMPLETED:
            return "processed"
        if item.job.open and item.job.id in self.model.jobs and item.until > self.now:
            return "claimed"
        return "deferred" if item.deferrals else "released"

    @invariant()
    def items_are_as_they_should(self) -> None:
        found: dict[tuple[int, str], str] = {}
        if not self.pools:
            return
        with self.store.read() as conn:
            for flow in self.flow_ids:
                for item in items.find(conn, flow, self.now).items:
                    found[flow, item.item] = item.state
        states = {place: self._seen(item) for place, item in self.items.items()}
        # Those that are free may be forgotten.
        assert {k: v for k, v in found.items() if v != "released"} == {
            k: v for k, v in states.items() if v != "released"
        }


NOBODY = Job(0, 0, 0, 0, "ended", Code.STOPPED)
