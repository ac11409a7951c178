"""Hints by the store's rules, for errors that are about to be written down."""

import msgspec
from sqlalchemy import Connection

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.hint_rules import Hints
from jobdeck.domain.records import JobError
from jobdeck.sdk.hints import COMMON
from jobdeck.store import hint_rules
from jobdeck.worker.protocol import Outcome

TRUSTED = SECOND
"""How old what was read of the rules may be."""


class HintGiver:
    """Holds errors against the rules, which it reads again when somebody may have changed them."""

    def __init__(self) -> None:
        self._hints = Hints([], COMMON)
        self._read_at: Micros = 0

    def of_outcome(self, conn: Connection, said: Outcome, now: Micros) -> Outcome:
        """What a worker reported, its error with the hint that it is to have."""
        if said.error is None:
            return said
        return msgspec.structs.replace(said, error=self.improve(conn, said.error, now))

    def improve(self, conn: Connection, error: JobError, now: Micros) -> JobError:
        """The error with that hint."""
        if now - self._read_at > TRUSTED:
            self._hints = Hints(hint_rules.all(conn), COMMON)
            self._read_at = now
        return self._hints.improve(error)
