"""The JSON of what a server answers about jobs that do not get on."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct

from jobdeck.client.shapes import Shape, when
from jobdeck.domain import clock, liveness, why
from jobdeck.domain.states import Status


class Why(Shape):
    """Why a job is where it is: `code` a closed word, `sentence` the answer, `advice` what to do
    about it. `estimate_s` is how long it takes until it starts, or until it ends if it runs."""

    RECORD = why.Why

    status: Status
    code: Annotated[str, Meta(extra_json_schema={"enum": list(why.CODES)})]
    sentence: str
    advice: str
    estimate_s: float | None
    details: dict[str, Any]

    @classmethod
    def of(cls, record: why.Why, **more: Any) -> Self:
        """The shape of that answer, with times as JSON has them."""
        details = {
            name: when(value) if name.endswith("_at") else value
            for name, value in record.details.items()
        }
        return super().of(record, **more, details=details)

    def record(self) -> why.Why:
        """The answer, with times as the domain has them."""
        found: why.Why = super().record()
        details = {
            name: clock.from_iso(value) if name.endswith("_at") and value else value
            for name, value in found.details.items()
        }
        return msgspec.structs.replace(found, details=details)


class Verdict(Shape):
    """What is to be said of an open job: its `kind`, whether it is `stuck`, and `why`. `remedy`
    is what recovering does without harm (empty: nothing is), `outcome` what it did."""

    RECORD = liveness.Verdict

    job: int
    flow: str
    queue: str
    status: Status
    kind: Annotated[str, Meta(extra_json_schema={"enum": list(liveness.KINDS)})]
    stuck: bool
    why: str
    remedy: str
    since: datetime
    outcome: str


class Recovery(Struct, frozen=True):
    """What recovering did for each job, or would do; `more` says that there are further ones."""

    jobs: list[Verdict]
    dry_run: bool
    more: bool

    @classmethod
    def of(cls, found: liveness.Recovery) -> "Recovery":
        """The shape of what recovering did."""
        return cls([Verdict.of(each) for each in found.jobs], found.dry_run, found.more)

    def record(self) -> liveness.Recovery:
        """The record of this shape."""
        jobs = [each.record() for each in self.jobs]
        return liveness.Recovery(jobs=jobs, dry_run=self.dry_run, more=self.more)
