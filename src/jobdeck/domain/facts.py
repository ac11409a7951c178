"""What an answer to "why is this job not running?" is made from."""

from msgspec import Struct

from jobdeck.domain.clock import Micros
from jobdeck.domain.rates import Rate
from jobdeck.domain.records import Job, Pool
from jobdeck.domain.serving import Need


class Stop(Struct, frozen=True, kw_only=True):
    """That somebody asked to stop or kill the job."""

    kind: str
    by: str = ""
    reason: str = ""
    at: Micros | None = None


class Family(Struct, frozen=True, kw_only=True):
    """What became of the children of a job that waits for them."""

    total: int
    completed: int
    failed: int
    stopped: int

    @property
    def open(self) -> int:
        """How many have not ended."""
        return self.total - self.completed - self.failed - self.stopped


class Pause(Struct, frozen=True, kw_only=True):
    """Who paused a queue, when, and what for."""

    at: Micros
    by: str
    reason: str = ""


class Limit(Struct, frozen=True, kw_only=True):
    """A limit of the job's queue or flow (`kind`), with how many count against it now."""

    kind: str
    name: str
    max_running: int | None = None
    running: int = 0
    rate: Rate | None = None
    rate_empty_at: Micros | None = None


class Line(Struct, frozen=True, kw_only=True):
    """What goes before a pending job: how many jobs (`more`: at least), and the seconds of work
    that they are, by what such jobs took lately; None: not known."""

    ahead: int = 0
    more: bool = False
    work_s: float | None = None


class Facts(Struct, frozen=True, kw_only=True):
    """All that an answer is made from. `parked` says that the job waits for its children without
    a worker, `handed_to` which pool holds it though it has not begun; `typical_s` is how long
    such jobs took lately."""

    now: Micros
    job: Job
    pools: list[Pool] = []
    need: Need
    stop: Stop | None = None
    parked: bool = False
    family: Family | None = None
    handed_to: int | None = None
    pause: Pause | None = None
    limits: list[Limit] = []
    line: Line = Line()
    typical_s: float | None = None
