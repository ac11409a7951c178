"""The states of a job, the reasons for them, and which state may follow which."""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """The state of a job, as everybody sees it."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def final(self) -> bool:
        """Nothing more happens unless somebody asks for a retry."""
        return self in FINAL


class Code(IntEnum):
    """The number a store keeps for each status; OPEN stands in a job's own row until it ends."""

    OPEN = 0
    COMPLETED = 1
    FAILED = 2
    STOPPED = 3
    SCHEDULED = 4
    PENDING = 5
    RUNNING = 6
    RETRYING = 7

    # That of IntEnum is a Python function, and is asked for several times for each job.
    __hash__ = int.__hash__

    @property
    def status(self) -> Status:
        """The status of that number; there is none for OPEN."""
        return Status[self.name]


CODES = {status: Code[status.name] for status in Status}
FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.SCHEDULED: frozenset({Status.PENDING, Status.STOPPED}),
    Status.PENDING: frozenset({Status.RUNNING, Status.STOPPED}),
    Status.RUNNING: frozenset(
        {Status.COMPLETED, Status.FAILED, Status.RETRYING, Status.PENDING, Status.STOPPED}
    ),
    Status.RETRYING: frozenset({Status.PENDING, Status.STOPPED}),
    Status.FAILED: frozenset({Status.PENDING}),
    Status.STOPPED: frozenset({Status.PENDING}),
    Status.COMPLETED: frozenset(),
}


class Reason(StrEnum):
    """Why a job is in its state: a closed list, beside a free text."""

    NO_ITEMS = "no_items"
    SKIPPED = "skipped"
    ERROR = "error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    INVALID_CONFIG = "invalid_config"
    INVALID_RESULT = "invalid_result"
    NOT_LOADED = "not_loaded"
    NOT_PUBLISHED = "not_published"
    CHILDREN_FAILED = "children_failed"
    CHILDREN_STOPPED = "children_stopped"
    WORKER_LOST = "worker_lost"
    POOL_ENDED = "pool_ended"
    STOPPED = "stopped"
    KILLED = "killed"
    PARENT_STOPPED = "parent_stopped"
    FORCED = "forced"


class Rule(NamedTuple):
    """What a reason means: the state it leads to and whether the retry policy may try again."""

    status: Status
    retries: bool
    meaning: str


REASONS: dict[Reason, Rule] = {
    Reason.NO_ITEMS: Rule(Status.COMPLETED, False, "ran and found nothing new"),
    Reason.SKIPPED: Rule(Status.COMPLETED, False, "declined to run, on purpose"),
    Reason.ERROR: Rule(Status.FAILED, True, "a step raised an error"),
    Reason.TIMEOUT: Rule(Status.FAILED, True, "ran longer than its timeout"),
    Reason.OUT_OF_MEMORY: Rule(Status.FAILED, True, "used more memory than its limit"),
    Reason.INVALID_CONFIG: Rule(Status.FAILED, False, "parameters or context do not fit"),
    Reason.INVALID_RESULT: Rule(Status.FAILED, False, "the result is not JSON, or over 1 MB"),
    Reason.NOT_LOADED: Rule(Status.FAILED, False, "the pipeline's code could not be loaded"),
    Reason.NOT_PUBLISHED: Rule(
        Status.FAILED, False, "due by itself while its pipeline was not published"
    ),
    Reason.CHILDREN_FAILED: Rule(Status.FAILED, False, "no child completed, or too few"),
    Reason.CHILDREN_STOPPED: Rule(Status.STOPPED, False, "its children were stopped"),
    Reason.WORKER_LOST: Rule(Status.FAILED, False, "its worker died under it too often"),
    Reason.POOL_ENDED: Rule(Status.PENDING, False, "its pool was shut down and gave it back"),
    Reason.STOPPED: Rule(Status.STOPPED, False, "somebody stopped it"),
    Reason.KILLED: Rule(Status.STOPPED, False, "somebody killed it"),
    Reason.FORCED: Rule(Status.FAILED, False, "somebody ended it by force"),
    Reason.PARENT_STOPPED: Rule(Status.STOPPED, False, "its parent was stopped"),
}
