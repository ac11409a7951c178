"""The JSON of what a server answers about jobs that do not get on, and why they fail."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct

from jobdeck.client.shapes import LogLine
from jobdeck.client.shaping import Shape, micros, when
from jobdeck.domain import bulk, clock, liveness, records, why
from jobdeck.domain.filters import Page
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


class Check(Struct, frozen=True):
    """Whether a job of a flow could run as it is configured now; `problems` names every
    parameter that does not fit, with what is wrong with it."""

    fits: bool
    problems: dict[str, str]


class HintRule(Shape):
    """What to do about errors in whose type and message the `pattern` occurs; `link` says where
    to read more."""

    RECORD = records.HintRule

    id: int
    pattern: str
    hint: str
    link: str
    created_at: datetime


class View(Shape):
    """A list of jobs that somebody has given a name: `filter` as it is written on the page,
    `sort` as `GET /jobs` takes it."""

    RECORD = records.View

    id: int
    actor: str
    name: str
    filter: str
    sort: str
    created_at: datetime


class ErrorGroup(Shape):
    """Failures that are the same error: `message` has marks in the place of what differs, and
    `example` is the message of `last_job`. `failures` is how often it happened, `jobs` how many
    jobs stand failed by it now, `hours` the failures in each of the last hours, the present one
    last. `state` is open, resolved, reopened by a failure after that, or muted."""

    RECORD = records.ErrorGroup

    id: int
    state: str
    type: str
    place: str
    message: str
    example: str
    failures: int
    jobs: int
    first_at: datetime
    last_at: datetime
    last_job: int
    flows: list[str]
    hours: list[int]
    resolved_at: datetime | None
    resolved_by: str
    resolved_reason: str
    reopened_at: datetime | None
    muted_at: datetime | None
    muted_by: str
    muted_reason: str

    @classmethod
    def of(cls, record: records.ErrorGroup, **more: Any) -> Self:
        """The shape of that group, with its state."""
        return super().of(record, **more, state=record.state)


class ErrorGroups(Struct, frozen=True):
    """One page of error groups; `next` is the cursor of the following one."""

    items: list[ErrorGroup]
    next: str | None
    searched_to: datetime | None

    @classmethod
    def of(cls, page: Page[records.ErrorGroup]) -> "ErrorGroups":
        """The shape of that page."""
        items = [ErrorGroup.of(each) for each in page.items]
        return cls(items, page.next, when(page.searched_to))

    def page(self) -> Page[records.ErrorGroup]:
        """The page of this shape."""
        items = [each.record() for each in self.items]
        return Page(items, self.next, micros(self.searched_to))


class BulkItem(Shape):
    """What became of one job: `outcome` is done or skipped, or empty while it waits for its turn;
    `message` says why."""

    RECORD = bulk.Item

    job: int
    outcome: str
    message: str


class Bulk(Struct, frozen=True):
    """What was done to jobs at once, or with `dry_run` would be: the `number` of jobs that are
    meant (`more` than that if not all were counted), some `examples`, and what became of each."""

    action: str
    number: int
    more: bool
    examples: list[int]
    done: int
    skipped: int
    items: list[BulkItem]

    @classmethod
    def of(cls, found: bulk.Bulk) -> "Bulk":
        """The shape of it."""
        outcomes = [item.outcome for item in found.items]
        return cls(
            *(found.action, found.number, found.more, found.examples),
            *(outcomes.count(bulk.DONE), outcomes.count(bulk.SKIPPED)),
            [BulkItem.of(item) for item in found.items],
        )

    def record(self) -> bulk.Bulk:
        """The record of this shape."""
        return bulk.Bulk(
            action=self.action,
            number=self.number,
            more=self.more,
            examples=self.examples,
            items=[item.record() for item in self.items],
        )


class FoundLine(LogLine):
    """A line that a search over all jobs has found."""

    RECORD = records.FoundLine

    job: int
    pipeline: str
    flow: str


class FoundLines(Struct, frozen=True):
    """Some of the lines that were found, the newest first; `next` is the cursor of what follows,
    and `searched_to` how far back it was looked."""

    items: list[FoundLine]
    next: str | None
    searched_to: datetime | None

    @classmethod
    def of(cls, page: Page[records.FoundLine]) -> "FoundLines":
        """The shape of that page."""
        items = [FoundLine.of(each) for each in page.items]
        return cls(items, page.next, when(page.searched_to))

    def page(self) -> Page[records.FoundLine]:
        """The page of this shape."""
        items = [each.record() for each in self.items]
        return Page(items, self.next, micros(self.searched_to))


class FlowItem(Shape):
    """Something that a flow takes only once. `state` is claimed (by `job`, until `expires_at`),
    deferred (so often), processed (known until `expires_at`, unless the flow sees it again), or
    released (free again)."""

    RECORD = records.FlowItem

    source: str
    item: str
    state: str
    job: int | None
    at: datetime
    expires_at: datetime | None
    deferrals: int


class FlowItems(Struct, frozen=True):
    """One page of items; `next` is the cursor of the following page, null at the end."""

    items: list[FlowItem]
    next: str | None


class ItemCounts(Struct, frozen=True):
    """How many items are in each state; `more`: there are further ones that were not counted."""

    claimed: int
    deferred: int
    processed: int
    released: int
    more: bool


class Forgotten(Struct, frozen=True):
    """How many items were forgotten."""

    items: int
