"""When the store refuses what a worker said: finding it, so that all the rest is written."""

from collections.abc import Callable

import structlog

from jobdeck.domain import clock
from jobdeck.domain.errors import StoreUnreachable
from jobdeck.domain.states import Code, Reason
from jobdeck.engine.inbox import Inbox
from jobdeck.worker.protocol import Reply

log = structlog.get_logger()


def sift(inbox: Inbox, write: Callable[[Inbox], None]) -> None:
    """Write each thing by itself with `write`. What is refused is left out; a job whose outcome
    it was has failed with that.

    Raises:
        StoreUnreachable: the store is away; what is not written yet is in the inbox again.
    """
    parts = inbox.parts()
    inbox.clear()
    while parts:
        part = parts[0]
        try:
            write(part)
        except StoreUnreachable:
            for each in parts:
                inbox.take_in(each)
            raise
        except Exception as error:
            log.error("what a worker said cannot be written; it is left out", error=str(error))
            parts.append(_instead(part, str(error)))
        del parts[0]


def _instead(part: Inbox, why: str) -> Inbox:
    """What is written in the place of a refused part."""
    other = Inbox()
    for worker, call in part.calls:
        worker.send(Reply(call.seq, error=f"{call.kind} cannot be written: {why}"))
    for job, said in part.outcomes:
        now = max(clock.now(), said.started_at)
        reason = Reason.INVALID_RESULT.value
        message = "what it reported at its end cannot be written to the store"
        other.endings.append(job.ending(Code.FAILED, now, reason=reason, message=message))
    return other
