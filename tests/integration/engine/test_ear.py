"""What a pool hears from those who enqueue."""

from __future__ import annotations

import selectors
from types import SimpleNamespace

import pytest

from jobdeck.engine.ear import CALLERS_S, Ear
from jobdeck.store.database import Store


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_pool_knows_that_somebody_enqueues(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("jobdeck.engine.ear.time", SimpleNamespace(monotonic=lambda: now))
    with selectors.DefaultSelector() as selector:
        ear = Ear(store, selector)
        ear.listen()
        assert not ear.waited_for()
        with store.write(wake=True):
            pass
        for key, _ in selector.select(10):
            key.data()
        assert ear.waited_for()
        now += CALLERS_S
        assert not ear.waited_for()
        ear.close()
