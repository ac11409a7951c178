"""How long things are kept, as settings say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobdeck.client import settings
from jobdeck.domain import clock, retention
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.retention import Keep


def test_settings() -> None:
    environ = {"JOBDECK_KEEP_COMPLETED": "2w", "JOBDECK_KEEP_LOGS": "forever"}
    found = settings.read({}, environ, Path("/nowhere"))
    keep = found.keep()
    assert (keep.completed, keep.failed, keep.logs) == (14 * 86400.0, 30 * 86400.0, None)
    assert (keep.payload, keep.files, keep.audit) == (None, None, 365 * 86400.0)
    assert Keep() == settings.read({}, {}, Path("/nowhere")).keep()
    assert Keep().words()["completed"] == "30d"
    assert Keep().words()["files"] == "forever"


@pytest.mark.parametrize(
    ("name", "text"),
    [("keep_completed", "soon"), ("keep_logs", "0"), ("keep_audit", "-3d"), ("keep_files", "5s"),
     ("cleanup_at", "5:00"), ("cleanup_at", "24:00"), ("cleanup_at", "05:00:00")],
)  # fmt: skip
def test_what_does_not_fit_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidValue, match=name):
        settings.read({}, {f"JOBDECK_{name.upper()}": text}, Path("/nowhere"))


def test_the_next_time_of_day() -> None:
    now = clock.from_iso("2026-11-20T05:00:00Z")
    assert clock.to_iso(retention.next_at("05:00", now)) == "2026-11-21T05:00:00.000Z"
    assert clock.to_iso(retention.next_at("05:01", now)) == "2026-11-20T05:01:00.000Z"
