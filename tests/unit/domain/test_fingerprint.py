"""Failures that are the same error have the same fingerprint."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jobdeck.domain.fingerprint import READ_CHARS, fingerprint, normalise, place
from jobdeck.domain.records import JobError

STACK = """Traceback (most recent call last):
  File "/srv/app/weather.py", line {line}, in extract
    rows = parse(answer)
  File "/srv/app/weather.py", line 88, in parse
    return json.loads(answer)
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
ValueError: {message}
"""


def error(message: str = "row 7", line: int = 12, **more: str) -> JobError:
    values: dict[str, Any] = {"type": "ValueError", "step": "extract", "traceback": STACK, **more}
    values["traceback"] = values["traceback"].format(line=line, message=message)
    return JobError(message=message, **values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("row 1,204: 'n/a' is not a temperature", "row 7: 'x' is not a temperature"),
        ("job 3 took 2.5 s", "job 44 took 1204.75 s"),
        ("no file /data/2026/a.csv", "no file /data/2025/b.csv"),
        ("no file C:\\data\\a.csv", "no file D:\\b.csv"),
        (
            "id 6f1c8a52-0b1e-4d8c-9c55-0f9c1d2e3f40 is gone",
            "id 7a1c8a52-1b1e-4d8c-9c55-0f9c1d2e3f41 is gone",
        ),
        ("<Thing at 0x7f2b3c>", "<Thing at 0x55aa>"),
        ("commit deadbeef12 failed", "commit 0123456789ab failed"),
        ("GET https://a.example/x?y=1 failed", "GET http://b.example failed"),
        ("at 2026-11-20T13:30:00Z it broke", "at 2025-01-02 03:04:05.678 it broke"),
        ("mailbox of a@b.example is full", "mailbox of billing@customer.example is full"),
        ("two\n  lines", "two lines"),
    ],
)
def test_what_differs_each_time_does_not_count(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("connection refused", "connection reset"),
        ("the added beef faded", "the added deed faded"),
        ("it's late", "it's early"),
    ],
)
def test_words_count(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_the_place_is_the_innermost_frame_of_user_code() -> None:
    assert place(STACK) == "weather.py in parse"
    assert place('  File "C:\\app\\load.py", line 3, in <module>\n') == "load.py in <module>"
    assert place('  File "/x/site-packages/httpx/a.py", line 3, in send\n') == "a.py in send"
    assert place("no frames") == ""


def test_an_edit_above_the_error_changes_nothing_but_another_place_does() -> None:
    one, moved = (fingerprint("error", "", error("row 7", line=n), "weather") for n in (12, 90))
    assert one == moved
    assert one.type == "ValueError"
    elsewhere = error(traceback=STACK.replace("in parse", "in read"))
    assert fingerprint("error", "", elsewhere, "weather").digest != one.digest


def test_what_is_no_exception_belongs_to_its_flow() -> None:
    found = fingerprint("timeout", "ran longer than its 30 s", None, "weather")
    assert found[1:] == ("timeout", "flow weather", "ran longer than its <n> s")
    bare = JobError(type="KeyError", message="'city'")
    assert fingerprint("error", "", bare, "weather").place == "flow weather"


@pytest.mark.parametrize("text", ["a" * 60_000, "'" * 60_001, "/" * 60_000, "1," * 30_000,
                                  "a." * 30_000, "f0" * 30_000, "a@" * 30_000])  # fmt: skip
def test_hostile_messages_take_no_time(text: str) -> None:
    began = time.process_time()
    assert len(normalise(text)) <= READ_CHARS
    place(f'  File "{text}", line 1, in x\n' * 3)
    assert time.process_time() - began < 0.5
