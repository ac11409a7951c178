"""What happens if two actions wait for each other."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from jobdeck.actions.perform import BulkAction, Tx
from jobdeck.domain.roles import Role
from jobdeck.store import queues
from jobdeck.store.database import Store
from tests.integration.hands import ANA


@pytest.mark.parametrize("database", ["postgres"])
def test_of_two_actions_that_wait_for_each_other_both_are_done(store: Store) -> None:
    """Each changes two queues in the other's order, and does not go on before the other has
    changed its first one: PostgreSQL ends one of the two, which is begun anew."""
    with store.write() as conn:
        for name in ("left", "right"):
            queues.ensure(conn, name)
    both, calls = threading.Barrier(2), []

    def change(tx: Tx, *names: str) -> bool | None:
        calls.append(names)
        parts = tx.memory.setdefault("parts", [])
        for name in names:
            tx.conn.execute(
                text("UPDATE queues SET paused_reason = paused_reason || 'x' WHERE name = :name"),
                {"name": name},
            )
            parts.append(name)
            if len(calls) <= 2 and name == names[0]:
                both.wait(30)
        tx.target = "queues"
        # Of what the transaction that was ended remembered nothing is left.
        assert parts == list(names)
        return True

    swap = BulkAction(change, "test.swap", Role.OPERATOR, "swap", wakes=False)
    names = (("left", "right"), ("right", "left"))
    threads = [threading.Thread(target=swap, args=(store, ANA, "", *each)) for each in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 3
    with store.read() as conn:
        rows = conn.execute(
            text("SELECT paused_reason FROM queues WHERE name IN ('left', 'right')")
        ).scalars()
        assert list(rows) == ["xx", "xx"]
