from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from jobdeck import Pipeline, job
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.uniqueness import Wish
from jobdeck.sdk import transport
from jobdeck.sdk.transport import EnqueueItem


class Recording:
    def __init__(self) -> None:
        self.items: list[EnqueueItem] = []
        self.calls: list[PipelineManifest | None] = []

    def enqueue(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None = None
    ) -> list[int]:
        self.items.extend(items)
        self.calls.append(manifest)
        return [index + 1 for index in range(len(items))]


@pytest.fixture
def sent() -> Iterator[Recording]:
    recording = Recording()
    with transport.using(recording):
        yield recording


@dataclass
class Letter:
    to: str
    at: dt.datetime | None = None


def test_enqueue_sends_what_is_given_and_the_manifest(sent: Recording) -> None:
    @job
    def send(to: str, at: dt.datetime | None = None) -> None: ...

    number = send.enqueue(to="a", at=dt.datetime(2026, 11, 20, tzinfo=dt.UTC))

    assert number == 1
    assert sent.items == [
        EnqueueItem(flow="send", params={"to": "a", "at": "2026-11-20T00:00:00Z"})
    ]
    assert sent.calls == [send.manifest]


def test_many_are_one_call(sent: Recording) -> None:
    @job
    def send(to: str) -> None: ...

    assert send.enqueue_many({"to": str(n)} for n in range(5)) == [1, 2, 3, 4, 5]
    assert send.enqueue_many([]) == []
    assert len(sent.calls) == 1
    assert [item.params["to"] for item in sent.items] == list("01234")


def test_a_model_may_be_given_whole(sent: Recording) -> None:
    pipeline = Pipeline("post", params=Letter)
    pipeline.step(_nothing)

    pipeline.enqueue(Letter("a"))
    pipeline.enqueue({"to": "b"})
    pipeline.enqueue(to="c")

    assert [item.params["to"] for item in sent.items] == ["a", "b", "c"]


def _nothing() -> None: ...


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"to": 3}, "params.to"),
        ({"too": "x"}, "params.too"),
        ({"to": object()}, "params"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(
    sent: Recording, given: dict[str, Any], named: str
) -> None:
    @job
    def send(to: str) -> None: ...

    with pytest.raises(InvalidValue) as one:
        send.enqueue(**given)
    with pytest.raises(InvalidValue) as many:
        send.enqueue_many([{"to": "fine"}, given])

    assert one.value.field == named
    assert many.value.field == "items[1]"
    assert sent.items == []


def test_a_parameter_that_is_missing_may_come_from_elsewhere(sent: Recording) -> None:
    @job
    def send(to: str) -> None: ...

    send.options(flow="letters to a").enqueue()

    assert sent.items[0].flow == "letters to a"


def test_options(sent: Recording) -> None:
    @job
    def send(to: str) -> None: ...

    before = clock.now()
    send.options(priority=5, context="dev", unique_key="k", delay="1m").enqueue(to="a")
    send.options(run_at="2026-11-20").enqueue_many([{"to": "b"}])
    send.options(run_at=dt.datetime(2026, 11, 20, tzinfo=dt.UTC)).enqueue(to="c")

    first, second, third = sent.items
    assert (first.priority, first.context, first.unique) == (5, "dev", Wish(key="k"))
    assert first.run_at is not None
    assert 60_000_000 <= first.run_at - before < 70_000_000
    assert second.run_at == third.run_at == clock.from_iso("2026-11-20")


@pytest.mark.parametrize(
    "options",
    [
        {"run_at": "soon"},
        {"run_at": dt.datetime(2026, 11, 20)},  # noqa: DTZ001
        {"delay": "x"},
        {"run_at": "2026-11-20", "delay": 5},
    ],
)
def test_options_that_will_not_do(options: dict[str, Any]) -> None:
    @job
    def send() -> None: ...

    with pytest.raises(InvalidValue):
        send.options(**options)
    with pytest.raises(TypeError, match="no setting 'prio'"):
        send.options(prio=3)  # type: ignore[call-arg]


def test_parameters_are_an_object_or_names() -> None:
    @job
    def send(to: str) -> None: ...

    for wrong in ("a", [1], 3):
        with pytest.raises(InvalidValue):
            send.enqueue(wrong)
    with pytest.raises(InvalidValue, match="not both"):
        send.enqueue({"to": "a"}, to="b")
