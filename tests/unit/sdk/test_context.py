from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobdeck import ChildResult, Context, Pipeline, job, testing
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.records import Counts


def test_a_context_tells_what_it_belongs_to() -> None:
    @job
    def show(ctx: Context, n: int) -> list[Any]:
        return [ctx.job_id, ctx.attempt, ctx.flow, ctx.pipeline, ctx.step, ctx.context, ctx.params]

    result = testing.run(show, n=1, context="dev")

    assert result.completed().result == [1, 1, "show", "show", "show", "dev", {"n": 1}]


def test_lines_have_levels_arguments_and_fields() -> None:
    @job
    def talk(ctx: Context) -> None:
        ctx.log.debug("a")
        ctx.log.info("loaded %d of %s", 3, "x", rows=3, path=Path("p"), odd=object)
        ctx.log.warning("100 %")
        ctx.log.error("%d", "no number")
        try:
            raise ValueError("v")
        except ValueError:
            ctx.log.exception("failed")

    lines = testing.run(talk).completed().logs

    assert [line.level for line in lines] == ["debug", "info", "warning", "error", "error"]
    assert lines[1].message == "loaded 3 of x"
    assert lines[1].fields == {"rows": 3, "path": "p", "odd": "<class 'object'>"}
    assert lines[2].message == "100 %"
    assert lines[3].message == "%d no number"
    assert "ValueError: v" in lines[4].message
    assert {line.step for line in lines} == {"talk"}


def test_fields_that_are_too_large_are_cut() -> None:
    @job
    def talk(ctx: Context) -> None:
        ctx.log.info("big", body="x" * 1_000_000, n=1)

    fields = testing.run(talk).logs[0].fields

    assert len(fields["body"]) < 20_000
    assert fields["n"] == "1"


def test_progress_and_check_ins() -> None:
    @job
    def work(ctx: Context) -> None:
        ctx.progress(1, 4)
        ctx.progress(2, 4, "half")
        ctx.check_in("still here")
        ctx.sleep(60)

    progress = testing.run(work).completed().progress

    assert [(p.done, p.total, p.note) for p in progress] == [
        (1, 4, ""), (2, 4, "half"), (2, 4, "still here"),
    ]  # fmt: skip


def test_counts_of_a_single_step_are_reported() -> None:
    @job
    def work(ctx: Context) -> None:
        ctx.counts.add(read=2, written=1)
        ctx.counts.add(skipped=1)

    assert testing.run(work).steps["work"].counts == Counts(read=2, written=1, skipped=1)


def test_files_are_shared_by_the_steps(tmp_path: Path) -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def extract(ctx: Context) -> list[str]:
        ctx.files.save("raw/a.csv", "x,y\n")
        ctx.files.save("b.bin", b"\x00\x01")
        with ctx.files.open("notes.txt", "w") as out:
            out.write("née")
        return list(ctx.files.list())

    @pipeline.step
    def load(ctx: Context, names: list[str]) -> list[Any]:
        ctx.files.path("made.txt").write_text("later")
        with ctx.files.open("notes.txt") as notes:
            return [names, notes.read(), ctx.files.path("b.bin").read_bytes().hex()]

    result = testing.run(pipeline, files=tmp_path).completed()

    assert result.result == [["b.bin", "notes.txt", "raw/a.csv"], "née", "0001"]
    assert sorted(result.files) == ["b.bin", "made.txt", "notes.txt", "raw/a.csv"]
    assert result.files["raw/a.csv"].path == tmp_path / "1" / "raw" / "a.csv"
    assert result.files["raw/a.csv"].size == 4


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "a\x00b", "..", "x" * 501, "a\nb"]
)
def test_file_names_stay_inside(name: str, tmp_path: Path) -> None:
    ctx = testing.context()
    with pytest.raises(InvalidValue):
        ctx.files.path(name)


def test_a_file_that_is_not_there_is_named() -> None:
    @job
    def read(ctx: Context) -> None:
        ctx.files.save("b.csv", "")
        with pytest.raises(NotFound, match=r"'a\.csv'.*Job 1 has: b\.csv"):
            ctx.files.open("a.csv")

    testing.run(read).completed()


def test_calls_are_recorded_without_secrets() -> None:
    @job
    def call(ctx: Context) -> int:
        response = ctx.http.post(
            "https://me:hush@example.org/v1?q=delft&api_key=hush&token=hush",
            json={"city": "Delft", "password": "hush", "n": {"client_secret": "hush"}},
            headers={"Authorization": "Bearer hush", "X-Api-Key": "hush"},
        )
        ctx.http.post("https://example.org/form", data={"user": "me", "password": "hush"})
        return response.status_code

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            201, json={"id": 3, "access_token": "hush"}, headers={"set-cookie": "s=hush"}
        )

    result = testing.run(call, http=answer)

    first, second = result.completed().http_calls
    assert (first.method, first.status) == ("POST", 201)
    assert first.url.startswith("https://example.org/v1?q=delft&api_key=")
    assert "Delft" in first.request
    assert '"id":3' in first.response
    assert "user=me" in second.request
    assert "hush" not in repr(result.http_calls)


def test_coroutines_have_a_client_of_their_own() -> None:
    @job
    async def call(ctx: Context) -> list[int]:
        paths = ("a", "b", "c")
        answers = await asyncio.gather(
            *(ctx.async_http.get(f"https://example.org/{path}?token=hush") for path in paths)
        )
        return [answer.status_code for answer in answers]

    result = testing.run(call, http=lambda _request: httpx.Response(204))

    assert result.completed().result == [204, 204, 204]
    assert len(result.http_calls) == 3
    assert "hush" not in repr(result.http_calls)


def test_what_is_no_secret_is_kept() -> None:
    @job
    def call(ctx: Context) -> None:
        ctx.http.post(
            "https://example.org/?postcode=2611&sort_key=name",
            json={"country_code": "nl", "keys": ["a", "b"], "n": 3, "text": 'a "b" c'},
        )

    (call_made,) = testing.run(call, http=lambda _: httpx.Response(200)).completed().http_calls

    assert call_made.url == "https://example.org/?postcode=2611&sort_key=name"
    assert "redacted" not in call_made.request


def test_a_call_without_an_answer_is_recorded_and_long_bodies_are_cut() -> None:
    @job
    def call(ctx: Context) -> None:
        ctx.http.get("https://example.org/big")
        with pytest.raises(httpx.ConnectError):
            ctx.http.get("https://example.org/none")
        with ctx.http.stream("GET", "https://example.org/stream") as stream:
            stream.read()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/none":
            raise httpx.ConnectError("Connection refused")
        if request.url.path == "/stream":
            return httpx.Response(200, content=(b"y" for _ in range(10)))
        return httpx.Response(200, text="y" * 100_000)

    big, none, stream = testing.run(call, http=answer).completed().http_calls

    assert len(big.response) < 6_000
    assert "100,000 bytes" in big.response
    assert none.status is None
    assert none.error == "ConnectError: Connection refused"
    assert "not kept" in stream.response


def test_redirects_are_recorded_hop_by_hop() -> None:
    @job
    def call(ctx: Context) -> None:
        ctx.http.get("https://example.org/old", follow_redirects=True)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/old":
            return httpx.Response(301, headers={"location": "/new"})
        return httpx.Response(200)

    calls = testing.run(call, http=answer).completed().http_calls

    assert [(c.url, c.status) for c in calls] == [
        ("https://example.org/old", 301), ("https://example.org/new", 200),
    ]  # fmt: skip


def test_children_run_before_the_next_step() -> None:
    @job
    def square(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n * n

    pipeline = Pipeline("p")

    @pipeline.step
    def split(ctx: Context) -> int:
        made = ctx.map(square, ({"n": n} for n in range(1200)))
        return made + ctx.map("square", [{"n": 7}])

    @pipeline.step
    def join(ctx: Context, made: int) -> list[Any]:
        children: list[ChildResult] = list(ctx.children())
        assert [child.index for child in children] == list(range(1201))
        failed = [(c.index, c.status, c.error) for c in children if c.status != "completed"]
        return [made, sum(c.result for c in children if c.status == "completed"), failed]

    result = testing.run(pipeline).completed()

    total = sum(n * n for n in range(1200)) - 9 + 49
    assert result.result == [1201, total, [[3, "failed", "three"]]]


def test_a_step_that_is_tried_again_makes_no_child_twice() -> None:
    runs: list[int] = []

    @job
    def child(n: int) -> None:
        runs.append(n)

    pipeline = Pipeline("p")

    @pipeline.step
    def split(ctx: Context) -> None:
        ctx.map(child, [{"n": 1}])
        if ctx.attempt == 1:
            raise OSError
        ctx.map(child, [{"n": 2}])

    testing.run(pipeline, resume=testing.run(pipeline)).completed()

    assert runs == [1, 2]


def test_a_last_step_that_made_children_gives_its_result_when_they_ended() -> None:
    @job
    def child(n: int) -> None: ...

    @job
    def parent(ctx: Context) -> int:
        return ctx.map(child, [{"n": 1}])

    assert testing.run(parent).completed().result == 1


def test_items_that_do_not_fit_the_child_are_named() -> None:
    @job
    def child(n: int) -> None: ...

    @job
    def parent(ctx: Context) -> None:
        ctx.map(child, [{"n": 1}, {"n": "x"}])

    assert testing.run(parent).message.startswith("items[1]: params.n: ")


def test_jobs_may_create_jobs() -> None:
    @job
    def other(n: int) -> None: ...

    @job
    def creates(ctx: Context) -> list[int]:
        return [other.enqueue(n=1), ctx.enqueue("some flow", a=2), ctx.enqueue(other, n=3)]

    result = testing.run(creates).completed()

    assert result.result == [1, 2, 3]
    assert [(e.flow, e.params) for e in result.enqueued] == [
        ("other", {"n": 1}), ("some flow", {"a": 2}), ("other", {"n": 3}),
    ]  # fmt: skip


def test_one_step_can_be_run_alone() -> None:
    pipeline = Pipeline("p")

    @pipeline.step
    def first() -> int:
        raise AssertionError

    @pipeline.step
    def second(n: int, factor: int) -> int:
        return n * factor

    @pipeline.step
    def third(n: int) -> int:
        raise AssertionError

    assert testing.run_step(pipeline, "second", result=4, factor=3).completed().result == 12
    with pytest.raises(NotFound, match="first, second, third"):
        testing.run_step(pipeline, "fourth")


def test_a_result_that_did_not_complete_says_why_when_asked() -> None:
    @job
    def fails() -> None:
        raise ValueError("because")

    with pytest.raises(AssertionError, match="because"):
        testing.run(fails).completed()
