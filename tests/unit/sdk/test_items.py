"""`ctx.unseen` and its kin, as a test of a pipeline sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from jobdeck import Context, job, testing
from jobdeck.sdk.pipeline import Job


@job
def takes(ctx: Context, names: list[str], until: int = 10**9, fail: bool = False) -> list[str]:
    taken = []
    for name in ctx.unseen(names):
        taken.append(name)
        if len(taken) == until:
            break
    if fail:
        raise ValueError
    return taken


NAMES = [f"{n}" for n in range(1200)]


def test_a_job_that_completes_has_processed_what_it_took() -> None:
    first = testing.run(takes, names=NAMES).completed()
    assert first.result == NAMES
    second = testing.run(takes, names=["new", *NAMES, "new"], after=first).completed()
    assert second.result == ["new"]


def test_a_job_that_fails_gives_all_back() -> None:
    first = testing.run(takes, names=["a"], fail=True)
    assert (first.status, first.items) == ("failed", {})
    assert testing.run(takes, names=["a"], after=first).completed().result == ["a"]


def test_what_was_not_handed_out_is_given_back() -> None:
    first = testing.run(takes, names=NAMES, until=3).completed()
    assert first.items == dict.fromkeys("012", "processed")
    assert testing.run(takes, names=NAMES, after=first).completed().result == NAMES[3:]


@dataclass
class Order:
    id: int


def test_names_sources_deferring_and_seeing() -> None:
    @job(name="mixed")
    def mixed(ctx: Context) -> list[Any]:
        told: list[Any] = [order.id for order in ctx.unseen([Order(1), Order(2)], key="id")]
        told += [row["n"] for row in ctx.unseen([{"n": 1}], "n", source="rows")]
        told += list(ctx.unseen(["x"], key=str.upper))
        ctx.defer(2)
        ctx.processed(1, "other")
        told += [ctx.seen(1), ctx.seen(2), ctx.seen(1, source="rows"), ctx.seen("other")]
        return [*told, *(order.id for order in ctx.unseen([Order(2)], key="id"))]

    result = testing.run(mixed).completed()
    assert result.result == [1, 2, 1, "x", True, False, False, True]
    assert result.items == {
        "1": "processed",
        "2": "deferred",
        "rows/1": "processed",
        "X": "processed",
        "other": "processed",
    }


def test_three_times_put_off_is_enough() -> None:
    @job(name="never")
    def never(ctx: Context) -> list[str]:
        taken = list(ctx.unseen(["a"]))
        ctx.defer(*taken)
        return taken

    result = None
    for _ in range(4):
        result = testing.run(never, after=result).completed()
        assert result.result == ["a"]
    assert result is not None
    assert result.items == {"a": "processed"}
    assert testing.run(never, after=result).completed().result == []


@pytest.mark.parametrize(
    ("items", "key", "message"),
    [
        ([1, None], None, r"items\[1\]: None is no name"),
        ([{"id": 1}, {}], "id", r"items\[1\]: has no 'id'"),
        (["x" * 501], None, r"items\[0\]: "),
        ([True], None, r"items\[0\]: True"),
        (["a\0"], None, r"items\[0\]: "),
    ],
)
def test_an_item_without_a_name_is_an_error(items: list[Any], key: Any, message: str) -> None:
    def work(ctx: Context) -> None:
        list(ctx.unseen(items, key))

    pipeline: Job[Any, Any] = job(name="bad")(work)
    result = testing.run(pipeline)
    assert result.error is not None
    with pytest.raises(AssertionError, match=message):
        result.completed()


def test_a_claim_for_too_long_is_refused() -> None:
    @job(name="long")
    def long(ctx: Context) -> None:
        ctx.unseen([], claim_for="31d")

    result = testing.run(long)
    assert "more than 30 days" in result.message
