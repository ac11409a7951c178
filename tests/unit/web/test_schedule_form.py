"""A schedule's form says what was meant, and its words what it will do."""

from __future__ import annotations

import pytest

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Schedule
from jobdeck.web import schedule_form
from jobdeck.web.schedule_words import when

NOW = clock.from_iso("2026-11-25T12:00:00Z")


def schedule(**values: object) -> Schedule:
    """One that says this."""
    return Schedule(id=1, flow="mail", created_at=NOW, updated_at=NOW, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"cron": "0 5 * * 1-5", "timezone": "Europe/Amsterdam", "params": {"city": "Delft"}},
        {"interval_s": 5400.0, "start_at": NOW, "end_at": NOW + 10**12, "jitter_s": 90.0},
        {"interval_s": 0.5 + 86_400, "misfire": "all", "overlap": "queue", "vendor_type": "X"},
    ],
)
def test_what_the_form_shows_is_what_it_reads(values: dict[str, object]) -> None:
    made = schedule(**values)
    read = schedule_form.read(schedule_form.values_of(made))
    assert {name: getattr(made, name) for name in read} == read


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("interval_s", "often"),
        ("jitter_s", "-3s"),
        ("start_at", "tomorrow"),
        ("misfire", "maybe"),
        ("params", "[1]"),
    ],
)
def test_what_cannot_be_read_is_named(field: str, text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        schedule_form.read({"cron": "* * * * *", field: text})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("values", "words", "rules"),
    [
        ({"cron": "0 5 * * *"}, "At 05:00, every day", "in UTC"),
        ({"interval_s": 3600.0, "timezone": "Europe/Amsterdam"}, "Every hour", ""),
        ({"interval_s": 300.0, "jitter_s": 30.0}, "Every 5 minutes", "up to 30 s later"),
        ({"interval_s": 1.5}, "Every 1.5 s", ""),
        (
            {"cron": "0 5 * * *", "timezone": "Asia/Tokyo", "misfire": "skip", "overlap": "skip"},
            "At 05:00, every day",
            "in Asia/Tokyo, missed ticks are skipped, not while one is open",
        ),
    ],
)
def test_words(values: dict[str, object], words: str, rules: str) -> None:
    found = when(schedule(**values))
    assert (found.words, found.rules) == (words, rules)
