"""Random operations by several pools and operators on a store, step by step beside the model."""

from hypothesis.stateful import initialize

from tests.proof.machine.bulk import Bulk
from tests.proof.machine.checks import Checks
from tests.proof.machine.creating import Creating
from tests.proof.machine.items import Items
from tests.proof.machine.operators import Operators
from tests.proof.machine.ticks import Ticks


class StoreMachine(Creating, Items, Operators, Bulk, Ticks, Checks):
    """Every operation is the store's own; `opened` gives an empty store to begin with."""

    @initialize()
    def begin_with_some(self) -> None:
        """Not every rule takes part in every example: whoever does finds jobs in every place."""
        self.define()
        self.enqueue([(at % 3, 0, 0) for at in range(8)] + [(0, 0, 3)], undone=False)
        self.claim(0, 3, begins=True)
        self.claim(1, 2, begins=False)
        self.spread(self.model.jobs[1], self.flow_ids[2], 0, 2, "never", waits=True)


__all__ = ["StoreMachine"]
