"""Jobs as lines of a file."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain import export
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Job, JobError
from jobdeck.domain.states import Status

JOB = Job(
    id=7,
    pipeline="weather",
    flow="weather",
    queue="etl",
    status=Status.FAILED,
    priority=-3,
    attempt=1,
    created_at=1_780_000_000_000_000,
    started_at=1_780_000_001_000_000,
    finished_at=1_780_000_003_500_000,
    params={"city": "Gouda"},
    error=JobError(type="ValueError", message="=1+1", step="load"),
)


def rows(*jobs: Job) -> list[dict[str, str]]:
    text = export.head("csv") + "".join(export.line(job, "csv", 0) for job in jobs)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv() -> None:
    (row,) = rows(JOB)
    assert (row["id"], row["status"], row["priority"], row["reason"]) == ("7", "failed", "-3", "")
    assert (row["created_at"], row["duration_s"]) == ("2026-05-28T20:26:40.000Z", "2.5")
    assert json.loads(row["params"]) == {"city": "Gouda"}
    assert (row["error_type"], row["error_message"]) == ("ValueError", "'=1+1")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_no_text_becomes_a_formula_or_breaks_a_line(text: str) -> None:
    (row,) = rows(msgspec.structs.replace(JOB, message=text, context=text))
    assert row["message"] in (text, f"'{text}")
    assert not row["message"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("result", [None, 5, "x", {"a": [1]}])
def test_json(result: Any) -> None:
    text = export.line(msgspec.structs.replace(JOB, result=result), "jsonl", 0)
    assert text.endswith("\n")
    told = json.loads(text)
    assert (told["id"], told["result"], told["duration_s"]) == (7, result, 2.5)
    assert told["error"]["message"] == "=1+1"
    assert export.head("jsonl") == ""


def test_other_formats_are_refused() -> None:
    with pytest.raises(InvalidValue):
        export.check_format("xls")
