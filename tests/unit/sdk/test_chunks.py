from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck import Context, NoItems, Pipeline, job, testing
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Counts
from jobdeck.sdk import registry


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@given(
    count=st.integers(0, 60),
    size=st.integers(1, 20),
    fails_at=st.lists(st.integers(0, 60), max_size=4),
    bad=st.sets(st.integers(0, 60), max_size=6),
    dropped=st.sets(st.integers(0, 60), max_size=6),
)
def test_whatever_fails_every_item_is_processed_and_the_counts_add_up(
    count: int, size: int, fails_at: list[int], bad: set[int], dropped: set[int]
) -> None:
    source = list(range(count))
    written: list[list[int]] = []
    failures = list(fails_at)

    def each(item: int) -> int | None:
        if item in bad:
            raise ValueError(item)
        return None if item in dropped else item

    with registry.isolated():

        @job
        def load(ctx: Context) -> None:
            for chunk in ctx.chunks(lambda: source, size, each=each, on_error="skip"):
                if failures and failures[0] in chunk:
                    failures.pop(0)
                    raise OSError("full")
                written.append(chunk)

        result = testing.run(load)
        while result.status == "failed":
            result = testing.run(load, resume=result)

    processed = [item for chunk in written for item in chunk]
    assert processed == [item for item in source if item not in bad and item not in dropped]
    counts = result.counts
    assert counts.read == count
    assert counts.written == len(processed)
    assert counts.skipped == len(bad & set(source))
    assert counts.filtered == len((dropped - bad) & set(source))
    assert counts.commits == -(-count // size)
    assert counts.rollbacks == result.attempt - 1


@given(count=st.integers(0, 50), size=st.integers(1, 10), after=st.integers(1, 6))
def test_a_stop_comes_between_two_chunks_and_loses_none(count: int, size: int, after: int) -> None:
    seen: list[int] = []
    with registry.isolated():

        @job
        def load(ctx: Context) -> int:
            for chunk in ctx.chunks(range(count), size):
                seen.extend(chunk)
            return len(seen)

        result = testing.run(load, stop_after_chunks=after)
        if result.status == "stopped":
            assert result.reason == "stopped"
            assert len(seen) == min(after * size, count)
            assert result.counts.rollbacks == 0
            result = testing.run(load, resume=result)

    assert result.status == "completed"
    assert seen == list(range(count))


def test_progress_follows_where_the_length_is_known() -> None:
    @job
    def load(ctx: Context) -> None:
        for _ in ctx.chunks(range(25), 10):
            pass

    progress = testing.run(load).progress

    assert [(p.done, p.total) for p in progress] == [(10, 25), (20, 25), (25, 25)]


def test_a_generator_is_a_source_too_as_long_as_it_repeats() -> None:
    opened: list[int] = []

    def rows() -> Iterator[int]:
        opened.append(1)
        yield from range(5)

    @job
    def load(ctx: Context) -> None:
        for chunk in ctx.chunks(rows(), 2):
            if 3 in chunk and len(opened) == 1:
                raise OSError

    result = testing.run(load, resume=testing.run(load))

    assert result.completed().counts == Counts(read=5, written=5, commits=3, rollbacks=1)


def test_a_chunk_of_which_nothing_is_left_is_committed_without_its_body() -> None:
    bodies: list[list[int]] = []

    @job
    def load(ctx: Context) -> None:
        bodies.extend(ctx.chunks(range(6), 2, each=lambda n: n if n > 3 else None))

    counts = testing.run(load).completed().counts

    assert bodies == [[4, 5]]
    assert counts == Counts(read=6, written=2, filtered=4, commits=3)


def test_more_bad_rows_than_the_limit_fail_the_step() -> None:
    @job
    def load(ctx: Context) -> None:
        for _ in ctx.chunks(["1", "x", "y", "3"], 2, each=int, on_error="skip", limit=1):
            pass

    result = testing.run(load)

    assert result.status == "failed"
    assert "More than 1 items had to be skipped; the last one was item 2" in result.message
    assert "ValueError" in (result.error.traceback if result.error else "")
    assert [line.level for line in result.logs] == ["warning", "warning"]


def test_a_bad_row_fails_the_step_unless_it_may_be_skipped() -> None:
    @job
    def load(ctx: Context) -> None:
        for _ in ctx.chunks(["1", "x"], each=int):
            pass

    result = testing.run(load)

    assert result.status == "failed"
    assert result.error is not None
    assert result.error.type == "ValueError"


def test_control_flow_of_a_row_is_not_a_bad_row() -> None:
    def each(item: int) -> int:
        raise NoItems("nothing today")

    @job
    def load(ctx: Context) -> None:
        for _ in ctx.chunks([1], each=each, on_error="skip"):
            pass

    assert testing.run(load).reason == "no_items"


def test_a_loop_that_is_left_early_counts_what_it_did() -> None:
    @job
    def load(ctx: Context) -> None:
        for _ in ctx.chunks(range(10), 4):
            break

    assert testing.run(load).counts == Counts(read=4, written=4, commits=1)


def test_several_loops_of_a_step_each_go_on_where_they_were() -> None:
    seen: list[tuple[str, list[int]]] = []

    @job
    def load(ctx: Context) -> None:
        seen.extend(("a", chunk) for chunk in ctx.chunks(range(4), 2))
        for chunk in ctx.chunks(range(4), 2):
            seen.append(("b", chunk))
            if len(seen) == 4:
                raise OSError

    first = testing.run(load)
    testing.run(load, resume=first).completed()

    assert seen == [
        ("a", [0, 1]), ("a", [2, 3]), ("b", [0, 1]), ("b", [2, 3]), ("b", [2, 3]),
    ]  # fmt: skip


def test_a_loop_inside_another_is_repeated_with_its_chunk() -> None:
    seen: list[tuple[int, int]] = []

    @job
    def load(ctx: Context) -> None:
        for outer in ctx.chunks(range(2), 1):
            for inner in ctx.chunks(range(2), 1):
                seen.append((outer[0], inner[0]))
                if len(seen) == 4:
                    raise OSError

    testing.run(load, resume=testing.run(load)).completed()

    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 0), (1, 1)]


def test_a_step_keeps_state_of_its_own() -> None:
    @job
    def sync(ctx: Context) -> Any:
        before = ctx.checkpoint.get("nothing")
        ctx.checkpoint.save({"cursor": 7})
        if before == "nothing":
            raise OSError
        return [before, ctx.checkpoint.get()]

    first = testing.run(sync)
    again = testing.run(sync, resume=first)

    assert again.completed().result == [{"cursor": 7}, {"cursor": 7}]


def test_a_checkpoint_that_is_not_json_is_refused() -> None:
    @job
    def sync(ctx: Context) -> None:
        ctx.checkpoint.save(object())

    result = testing.run(sync)

    assert result.message.startswith("checkpoint: a object that is not JSON")


def test_the_next_step_begins_with_fresh_counts() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def one(ctx: Context) -> None:
        ctx.counts.add(read=3)

    @pipeline.step
    def two(ctx: Context) -> None:
        for chunk in ctx.chunks([1, 2], 1):
            if chunk == [2] and ctx.attempt == 1:
                raise OSError

    result = testing.run(pipeline, resume=testing.run(pipeline)).completed()

    assert result.steps["one"].counts == Counts(read=3)
    assert result.steps["two"].counts == Counts(read=2, written=2, commits=2, rollbacks=1)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": "5"}, {"on_error": "x"}, {"limit": -1}])
def test_arguments_are_checked(wrong: dict[str, Any]) -> None:
    @job
    def load(ctx: Context) -> None:
        with pytest.raises(InvalidValue):
            ctx.chunks([], **wrong)

    testing.run(load).completed()
