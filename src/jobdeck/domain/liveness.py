"""Which open jobs do not get on, what each lacks, and what may be done without harm.

| kind | what it means | recovering |
|---|---|---|
| `active` | a worker of a live pool runs it | skips it |
| `waiting_for_children` | parked until its last child has ended | skips it |
| `stale` | it runs in a live worker, but has not been heard of for hours | skips it |
| `orphaned` | its pool, or its worker, is gone | gives it back to its queue |
| `not_woken` | parked, though its children have ended | lets it go on |
| `overdue` | its time came a while ago | makes it pending |
| `no_pool` | pending, and for long no pool could run it | skips it |
| `waiting` | pending, or delayed, and not for long | leaves it out |
"""

from collections.abc import Sequence

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros, format_duration
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Pool
from jobdeck.domain.serving import Lack, lives
from jobdeck.domain.states import Status

STALE_S = 7200.0
"""A running job that has not been heard of for longer is shown as stuck."""

STALE_MIN_S = 60.0

STARVED_S = 600.0
"""So is one that no pool could run for longer,"""

OVERDUE_S = 60.0
"""and one whose time came longer ago."""

WAITING = "waiting"
KINDS = (
    *("active", "waiting_for_children", "stale", "orphaned", "not_woken", "overdue", "no_pool"),
    WAITING,
)
GIVE_BACK, WAKE, PROMOTE = "give_back", "wake", "promote"


class Standing(Struct, frozen=True, kw_only=True):
    """Where an open job stands. `since` is when it began to stand there; `pool` holds it, in its
    process `worker` (None: that has ended), unless it is parked; `open_children` have not ended;
    `lack` is why no pool would take it."""

    job: int
    flow: str
    queue: str
    status: Status
    since: Micros
    pool: int | None = None
    worker: int | None = None
    begun: bool = False
    parked: bool = False
    open_children: int = 0
    checked_in_at: Micros | None = None
    run_at: Micros | None = None
    lack: Lack | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """What is to be said of a job: its `kind`, whether it is `stuck`, `why`, and the `remedy`
    (give_back, wake, promote; empty: none is without harm). `outcome` is what recovering did."""

    job: int
    flow: str
    queue: str
    status: Status
    kind: str
    stuck: bool
    why: str
    remedy: str = ""
    since: Micros
    outcome: str = ""


class Recovery(Struct, frozen=True, kw_only=True):
    """What recovering did, or with `dry_run` would do, for each job that it looked at; `more`
    says that there are further ones."""

    jobs: list[Verdict]
    dry_run: bool
    more: bool = False


def check_stale(stale_s: float) -> float:
    """A time without signs of life that means something.

    Raises:
        InvalidValue: it is less than a minute, or more than a year.
    """
    if not STALE_MIN_S <= stale_s <= 366 * 86400:
        raise InvalidValue("stale_s", f"{stale_s:g} s is not from a minute to a year")
    return stale_s


def judge(
    standing: Standing, pools: Sequence[Pool], now: Micros, stale_s: float = STALE_S
) -> Verdict:
    """What is to be said of the job; `stale_s` seconds without a sign of life are too long."""
    if standing.parked:
        return _parked(standing)
    if standing.status in (Status.SCHEDULED, Status.RETRYING):
        return _delayed(standing, now)
    if standing.pool is None:
        return _waiting(standing, now)
    return _held(standing, pools, now, stale_s)


def _say(standing: Standing, kind: str, why: str, *, stuck: bool, remedy: str = "") -> Verdict:
    return Verdict(
        job=standing.job,
        flow=standing.flow,
        queue=standing.queue,
        status=standing.status,
        kind=kind,
        stuck=stuck,
        why=why,
        remedy=remedy,
        since=standing.since,
    )


def _for(since: Micros, now: Micros) -> str:
    return format_duration(max(now - since, 0) / SECOND)


def _parked(standing: Standing) -> Verdict:
    if standing.open_children > 0:
        why = f"It waits for {standing.open_children:,} of its children to end."
        return _say(standing, "waiting_for_children", why, stuck=False)
    why = "Its children have ended, but nothing has woken it."
    return _say(standing, "not_woken", why, stuck=True, remedy=WAKE)


def _delayed(standing: Standing, now: Micros) -> Verdict:
    due = standing.run_at if standing.run_at is not None else now
    if now - due <= OVERDUE_S * SECOND:
        return _say(standing, WAITING, "It waits for its time.", stuck=False)
    why = f"Its time came {_for(due, now)} ago, but no pool has noticed."
    return _say(standing, "overdue", why, stuck=True, remedy=PROMOTE)


def _waiting(standing: Standing, now: Micros) -> Verdict:
    waited = _for(standing.since, now)
    if standing.lack is None or now - standing.since <= STARVED_S * SECOND:
        return _say(standing, WAITING, f"It has been waiting for {waited}.", stuck=False)
    advice = f" What to do: {standing.lack.advice}" if standing.lack.advice else ""
    why = f"It has been waiting for {waited}. {standing.lack.sentence}{advice}"
    return _say(standing, "no_pool", why, stuck=True)


def _held(standing: Standing, pools: Sequence[Pool], now: Micros, stale_s: float) -> Verdict:
    pool = next((each for each in pools if each.id == standing.pool), None)
    if pool is None:
        why = f"Its pool {standing.pool} has ended."
        return _say(standing, "orphaned", why, stuck=True, remedy=GIVE_BACK)
    if not lives(pool, now):
        why = f"Its pool {pool.id} on {pool.host} was last heard of "
        why += f"{_for(pool.heartbeat_at, now)} ago."
        return _say(standing, "orphaned", why, stuck=True, remedy=GIVE_BACK)
    heard = max(standing.since, standing.checked_in_at or 0)
    silent = now - heard > stale_s * SECOND
    if not standing.begun:
        return _say(standing, "active", f"Pool {pool.id} has taken it.", stuck=False)
    if pool.builtin:
        why = f"Maintenance has been at it for {_for(standing.since, now)}."
        return _say(standing, "active", why, stuck=False)
    if standing.worker is None and now - heard > OVERDUE_S * SECOND:
        why = f"The worker of pool {pool.id} that ran it has ended."
        return _say(standing, "orphaned", why, stuck=True, remedy=GIVE_BACK)
    where = f"a live worker of pool {pool.id} has been running it for {_for(standing.since, now)}"
    if silent:
        why = f"It was last heard of {_for(heard, now)} ago, but {where}; stop, kill or finish it."
        return _say(standing, "stale", why, stuck=True)
    return _say(standing, "active", f"{where[0].upper()}{where[1:]}.", stuck=False)
