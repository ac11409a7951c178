"""Doing the same to many jobs: first their numbers are gathered, then each has its turn."""

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Connection

from jobdeck.actions import bulk as actions
from jobdeck.actions.jobs import Tree
from jobdeck.actions.perform import Tx
from jobdeck.domain import clock
from jobdeck.domain.bulk import DONE, PAST, SKIPPED, Order, summary
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.roles import Actor, Role
from jobdeck.engine.chore import TELL_EVERY, Chore
from jobdeck.store import audit, bulk, cleanup, listing

GATHER = 2000
"""Numbers gathered in one transaction."""

TURN_S = 0.010
"""How long a transaction should take; so many jobs are changed in it as that allows."""

FIRST, LEAST, MOST = 200, 200, cleanup.CHUNK
"""Fewer would cost more than they gain: a transaction has a price of its own, 3 ms of CPU."""
NAMED = 20
"""If no more jobs are meant, live pages are told of each."""


def run(chore: Chore) -> Any:
    """Do a job of it; gives how many were changed, and how many skipped for which reasons."""
    return _Bulk(chore).run()


class _Bulk:
    def __init__(self, chore: Chore) -> None:
        params = chore.params
        self.chore = chore
        self.order = msgspec.convert(
            {k: v for k, v in params.items() if k in Order.__struct_encode_fields__}, Order
        )
        self.actor = Actor(params["by"], Role.OPERATOR)
        self.reason: str = params.get("reason", "")
        memory = chore.memory
        self.done: int = memory.setdefault("changed", 0)
        self.skipped: Counter[str] = Counter(memory.setdefault("skipped", {}))
        self.size = FIRST
        self.tree: dict[str, Any] = {}
        self.last: int = memory.get("after") or 0
        self.told_at = 0

    def run(self) -> Any:
        if "gathered" not in self.chore.memory:
            self._gather()
        self.chore.log(f"{self.chore.total or 0:,} jobs are to be {PAST[self.order.action]}")
        while not self._turn():
            pass
        self.chore.log(summary(self.order.action, self.done, self.skipped))
        return self._told()

    def _gather(self) -> None:
        chore, params = self.chore, self.chore.params
        after: int | None = chore.memory.get("after", 0)
        wanted = None
        if "matching" in params:
            wanted = msgspec.convert(params["matching"], JobFilter)
        while after is not None and wanted is not None:
            with chore.store.read() as conn:
                found, after = listing.numbers(
                    conn, wanted, after=after, upto=params["upto"], limit=GATHER, now=clock.now()
                )
            with chore.transaction() as conn:
                bulk.add(conn, chore.job_id, found)
                chore.counts["read"] += len(found)
                chore.memory["after"] = after
                chore.note = f"{chore.counts['read']:,} jobs found so far"
        with chore.transaction() as conn:
            if wanted is None:
                chore.counts["read"] = params["jobs"]
            chore.total = chore.counts["read"]
            chore.memory.update(gathered=True, after=0)
            self._audit(conn)

    def _turn(self) -> bool:
        """Change some; True: that was all."""
        chore = self.chore
        if self.tree:
            with chore.transaction() as conn:
                tx = self._tx(conn)
                actions.descend(tx, self.order)
                self._advance()
                self._tell(tx)
            return False
        after: int = chore.memory["after"]
        with chore.store.read() as conn:
            items = bulk.items(conn, chore.job_id, after=after, limit=self.size)
        if not items:
            return True
        with chore.transaction() as conn:
            tx = self._tx(conn)
            # Those that had their turn before the process died: only their children are left.
            fresh = [item.job for item in items if not item.outcome]
            results = actions.carry_out(tx, self.order, fresh) if fresh else []
            again = [item.job for item in items if item.outcome == DONE]
            if again and self.order.action in ("stop", "kill"):
                tree: Tree = self.tree.setdefault("tree", Tree())
                tree.parents += again
            bulk.note(conn, chore.job_id, results)
            self.done += sum(item.outcome == DONE for item in results)
            self.skipped.update(item.message for item in results if item.outcome == SKIPPED)
            self.last = items[-1].job
            self._advance()
            self._show()
            self._audit(conn)
            self._tell(tx)
        for each in tx.afterwards:
            each()
        fits = self.size * TURN_S / max(chore.took_s, 0.001)
        self.size = round(max(min(fits, self.size * 2, MOST), min(LEAST, MOST)))
        return False

    def _tx(self, conn: Connection) -> Tx:
        return Tx(conn, self.chore.store, self.actor, self.reason, clock.now(), memory=self.tree)

    def _advance(self) -> None:
        # Not before their children are stopped: else they would be forgotten if this dies.
        if not self.tree:
            self.chore.memory["after"] = self.last

    def _show(self) -> None:
        chore, skipped = self.chore, sum(self.skipped.values())
        chore.done = self.done + skipped
        chore.counts |= {"written": self.done, "skipped": skipped}
        chore.note = summary(self.order.action, self.done, self.skipped)
        chore.memory |= {"changed": self.done, "skipped": dict(self.skipped)}

    def _told(self) -> dict[str, Any]:
        return {"action": self.order.action, "done": self.done, "skipped": dict(self.skipped)}

    def _audit(self, conn: Connection) -> None:
        """Bring the one audit row of the whole up to date."""
        memory = self.chore.memory
        if "audit" not in memory:
            target = f"job {self.chore.job_id}"
            memory["audit"] = audit.oldest(conn, target, actions.ACTION)
        row = memory["audit"]
        if row is not None:
            audit.amend(conn, row, {**self.chore.params, "jobs": self.chore.total, **self._told()})

    def _tell(self, tx: Tx) -> None:
        if (self.chore.total or 0) > NAMED:
            tx.forget_changes()
            if tx.now - self.told_at >= TELL_EVERY:
                self.told_at = tx.now
                tx.changed("jobs", "", "crowd")
        tx.write_changes()
