"""The page says why as every face does, with its times in the reader's zone."""

from __future__ import annotations

from jobdeck.domain.clock import SECOND
from jobdeck.domain.states import Reason, Status
from jobdeck.domain.why import Why, at_time
from jobdeck.web import why

NOW = 1_780_000_000 * SECOND


def test_times_are_marked_and_text_is_escaped() -> None:
    at = NOW - 3600 * SECOND
    found = Why(
        status=Status.FAILED,
        code="failed",
        sentence=f"It failed at {at_time(at, NOW)}: <b>row\n 7</b>.",
        details={"finished_at": at, "attempt": 1},
    )
    said = why.say(found, NOW)
    assert said is not None
    assert 'data-style="clock" title=' in said.sentence
    assert f">{at_time(at, NOW)}</time>: &lt;b&gt;row 7&lt;/b&gt;." in said.sentence


def test_a_command_stands_apart_and_long_texts_are_cut() -> None:
    found = Why(
        status=Status.PENDING,
        code="queue_paused",
        sentence="x" * 5000,
        advice="jobdeck queues resume etl",
    )
    said = why.say(found, NOW)
    assert said is not None
    assert (said.command, said.advice) == ("jobdeck queues resume etl", "")
    assert len(said.sentence) < 500


def test_nothing_is_said_of_what_went_well() -> None:
    found = Why(status=Status.COMPLETED, code="completed", sentence="It completed.")
    assert why.say(found, NOW) is None
    empty = Why(
        status=Status.COMPLETED,
        code="completed",
        sentence="It completed; it found nothing new.",
        details={"reason": Reason.NO_ITEMS},
    )
    assert why.say(empty, NOW) is not None
