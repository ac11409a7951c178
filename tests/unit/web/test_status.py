"""Why a job is as it is, in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Job, JobError, Queue
from jobdeck.domain.states import Reason, Status
from jobdeck.web import status

NOW = 1_780_000_000 * SECOND


def job(state: Status, **more: Any) -> Job:
    """A job in that state."""
    return Job(id=1, pipeline="p", flow="p", queue="mail", status=state, created_at=NOW, **more)


def queue(**more: Any) -> Queue:
    """The queue that it waits in."""
    return Queue(id=1, name="mail", **more)


@pytest.mark.parametrize(
    ("found", "waits_in", "sentence"),
    [
        (
            job(Status.PENDING),
            queue(paused_at=NOW, paused_by="ana", paused_reason="the server is down"),
            "Its queue mail is paused by ana: the server is down.",
        ),
        (job(Status.PENDING), queue(pending=3), "It waits in mail with 2 other jobs."),
        (
            job(Status.PENDING, losses=2),
            queue(pending=1),
            "It is next in its queue and waits for a free worker. It lost its worker 2 times.",
        ),
        (
            job(Status.SCHEDULED, run_at=NOW + 90 * SECOND),
            None,
            "It waits for its time, in 1 min 30 s.",
        ),
        (
            job(Status.RUNNING, waits_for=3),
            None,
            "It waits for 3 children and holds no worker meanwhile.",
        ),
        (job(Status.RUNNING), None, ""),
        (
            job(
                Status.FAILED,
                reason=Reason.ERROR,
                error=JobError(type="a.b.KeyError", message="'x'\nmore", step="load"),
            ),
            None,
            "Step load raised KeyError: 'x'",
        ),
        (job(Status.FAILED, reason=Reason.TIMEOUT), None, "Ran longer than its timeout."),
        (
            job(Status.STOPPED, reason=Reason.KILLED, message="killed by ana: stuck"),
            None,
            "Killed by ana: stuck.",
        ),
        (job(Status.COMPLETED), None, ""),
        (job(Status.COMPLETED, reason=Reason.NO_ITEMS), None, "Ran and found nothing new."),
    ],
)
def test_one_sentence_says_why(found: Job, waits_in: Queue | None, sentence: str) -> None:
    assert status.sentence(found, NOW, waits_in) == sentence


def test_every_state_has_its_place() -> None:
    assert set(status.ORDER) == set(Status)


def test_a_list_says_it_in_a_few_words() -> None:
    error = JobError(type="smtplib.SMTPException", message="550 full\nmore")
    assert status.summary(job(Status.FAILED, reason=Reason.ERROR, error=error)) == (
        "SMTPException: 550 full"
    )
    assert status.summary(job(Status.COMPLETED, reason=Reason.NO_ITEMS)) == "no items"
    assert status.summary(job(Status.COMPLETED)) == ""
