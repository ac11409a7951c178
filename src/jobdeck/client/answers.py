"""The JSON of what a server answers about jobs that do not get on."""

from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from jobdeck.client.shapes import Shape, when
from jobdeck.domain import clock, why
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
