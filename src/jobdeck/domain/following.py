"""Flows that run after others: `weather` when one of its jobs has completed, `mail:failed` when
one has failed, `etl:ended` on either."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.states import Code


class Outcome(StrEnum):
    """Which end of a job lets the following flow run."""

    COMPLETED = "completed"
    FAILED = "failed"
    ENDED = "ended"

    def fits(self, code: Code) -> bool:
        """Whether a job that ended so is meant; a stopped one never is."""
        if self is Outcome.ENDED:
            return code in (Code.COMPLETED, Code.FAILED)
        return code == Code[self.name]


def parse(texts: Iterable[str], flow: str) -> dict[str, Outcome]:
    """The flows that `flow` is to run after, each with the outcome.

    Raises:
        InvalidValue: a text cannot be read, or names a flow twice.
    """
    found: dict[str, Outcome] = {}
    for text in texts:
        name, _, outcome = text.partition(":")
        if outcome not in ("", *Outcome):
            known = ", ".join(Outcome)
            raise InvalidValue("after", f"{text!r} ends in no outcome; there are: {known}")
        if not name:
            raise InvalidValue("after", f"{text!r} names no flow; write it like weather:failed")
        if name in found:
            raise InvalidValue("after", f"names flow {name!r} twice; use {name}:ended for both")
        if name == flow:
            raise InvalidValue("after", f"{flow} would run after itself, for ever")
        found[name] = Outcome(outcome or Outcome.COMPLETED)
    return found


def text_of(name: str, outcome: str) -> str:
    """How that is written."""
    return name if outcome == Outcome.COMPLETED else f"{name}:{outcome}"


def find_cycle(after: Mapping[str, Iterable[str]], start: str) -> list[str]:
    """The flows of a circle through `start`, each after the one before it; none: there is none."""
    paths = [[start]]
    seen = set()
    while paths:
        path = paths.pop()
        for name in after.get(path[-1], ()):
            if name == start:
                return [*path, start][::-1]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
