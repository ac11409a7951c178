"""How often something may fail."""

from __future__ import annotations

import pytest

from jobdeck.domain.errors import TooMany
from jobdeck.http import throttle
from jobdeck.http.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_refuses_after_so_many_failures_until_time_has_passed() -> None:
    clock = Clock()
    gate = Throttle(limit=2, window_s=60, timer=clock)
    gate.failed("a")
    clock.at += 20
    gate.failed("a")
    gate.check("b")
    with pytest.raises(TooMany) as caught:
        gate.check("a")
    assert caught.value.after_s == 40
    clock.at += 40
    gate.check("a")
    gate.failed("a")
    with pytest.raises(TooMany):
        gate.check("a")


def test_remembers_a_bounded_number_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "KEYS_MAX", 3)
    gate = Throttle(limit=1, window_s=60, timer=Clock())
    for key in "abcd":
        gate.failed(key)
    gate.check("a")
    with pytest.raises(TooMany):
        gate.check("d")
