"""What a pool hears from those who enqueue."""

from __future__ import annotations

import selectors
from types import SimpleNamespace

import pytest

from jobdeck.engine.ear import CALLERS_S, GAP_S, Ear
from jobdeck.store.database import Store


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_pool_leaves_the_lock_to_who_enqueues(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: now, sleep=slept.append)
    monkeypatch.setattr("jobdeck.engine.ear.time", clock)
    with selectors.DefaultSelector() as selector:
        ear = Ear(store, selector)
        ear.listen()
        ear.freed()
        ear.let_pass()
        assert not ear.waited_for()
        assert not slept
        with store.write(wake=True):
            pass
        for key, _ in selector.select(10):
            key.data()
        assert ear.waited_for()
        ear.let_pass()
        assert slept == [pytest.approx(GAP_S)]
        now += GAP_S
        ear.let_pass()
        assert len(slept) == 1
        now += CALLERS_S
        assert not ear.waited_for()
        ear.close()
