"""How a state is shown, and a reason in a few words."""

from __future__ import annotations

from typing import Any

from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Job, JobError
from jobdeck.domain.states import Reason, Status
from jobdeck.web import status

NOW = 1_780_000_000 * SECOND


def job(state: Status, **more: Any) -> Job:
    """A job in that state."""
    return Job(id=1, pipeline="p", flow="p", queue="mail", status=state, created_at=NOW, **more)


def test_every_state_has_its_place() -> None:
    assert set(status.ORDER) == set(Status)


def test_a_list_says_it_in_a_few_words() -> None:
    error = JobError(type="smtplib.SMTPException", message="550 full\nmore")
    assert status.summary(job(Status.FAILED, reason=Reason.ERROR, error=error)) == (
        "SMTPException: 550 full"
    )
    assert status.summary(job(Status.COMPLETED, reason=Reason.NO_ITEMS)) == "no items"
    assert status.summary(job(Status.COMPLETED)) == ""
