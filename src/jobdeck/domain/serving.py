"""Which pools would take a job, and if none does, why not."""

from collections.abc import Sequence

from msgspec import Struct

from jobdeck.domain.builtin import is_own
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.records import Pool

LIVE_S = 60.0
"""A pool whose heartbeat is older than this does not count as alive. Longer than a lease, since
it is seen through the clocks of two machines."""


class Need(Struct, frozen=True, kw_only=True):
    """What a job takes: a pool that serves its queue and has loaded the published version of its
    pipeline. `fingerprint` is empty if none is published."""

    queue: str
    pipeline: str
    version: int | None = None
    fingerprint: str = ""


class Lack(Struct, frozen=True, kw_only=True):
    """Why no pool takes such jobs: a closed code, a sentence, and what to do about it."""

    code: str
    sentence: str
    advice: str = ""


def lives(pool: Pool, now: Micros) -> bool:
    """Whether the pool has told lately that it lives."""
    return pool.state != "lost" and now - pool.heartbeat_at <= LIVE_S * SECOND


def serves(pools: Sequence[Pool], queue: str, now: Micros) -> bool:
    """Whether a live pool that takes jobs serves the queue, whatever it has loaded."""
    return any(not pool.queues or queue in pool.queues for pool in _working(pools, now))


def takers(pools: Sequence[Pool], need: Need, now: Micros) -> list[Pool]:
    """The live pools that take such jobs."""
    return [
        pool
        for pool in _serving(_working(pools, now), need)
        if need.fingerprint and pool.loaded.get(need.pipeline) == need.fingerprint
    ]


def lack(pools: Sequence[Pool], need: Need, now: Micros) -> Lack | None:
    """Why none of the pools takes such jobs; None: one does."""
    if not need.fingerprint:
        return Lack(
            code="not_published",
            sentence=f"No version of its pipeline {need.pipeline} is published.",
            advice=f"jobdeck pipelines publish {need.pipeline}",
        )
    if takers(pools, need, now):
        return None
    if is_own(need.pipeline):
        return Lack(
            code="no_maintenance",
            sentence="It is Jobdeck's own work, and no maintenance process is alive to do it.",
            advice="jobdeck up, or jobdeck web: both start one",
        )
    pools = [pool for pool in pools if not pool.builtin]
    if not any(lives(pool, now) for pool in pools):
        return Lack(
            code="no_pool",
            sentence="No pool is alive, so nothing runs jobs.",
            advice="jobdeck worker TARGET, with the file that defines the pipeline",
        )
    working = _working(pools, now)
    if not working:
        return Lack(
            code="pools_draining",
            sentence="Every live pool is draining and takes no more jobs.",
            advice="jobdeck worker TARGET",
        )
    serving = _serving(working, need)
    if not serving:
        known = "; ".join(f"pool {pool.id} takes {', '.join(pool.queues)}" for pool in working[:3])
        return Lack(
            code="queue_not_served",
            sentence=f"No live pool takes the queue {need.queue} ({known}).",
            advice=f"jobdeck worker TARGET --queues {need.queue}",
        )
    return _not_loaded(serving, need)


def _not_loaded(serving: Sequence[Pool], need: Need) -> Lack:
    what = f"version {need.version} of its pipeline {need.pipeline}"
    starting = [pool for pool in serving if not pool.loaded]
    if starting:
        return Lack(
            code="pool_starting",
            sentence=f"No worker of {_names(starting)} has loaded its code yet.",
            advice="If that lasts, the pool's own log says why the code cannot be loaded.",
        )
    others = [pool for pool in serving if need.pipeline in pool.loaded]
    if others:
        return Lack(
            code="other_version",
            sentence=f"No live pool has loaded {what}; {_names(others)} loaded another one.",
            advice="Restart the pool with the code of that version, or publish the version it has.",
        )
    return Lack(
        code="not_loaded",
        sentence=f"No live pool has loaded {what}.",
        advice="jobdeck worker TARGET, with the file that defines the pipeline",
    )


def _working(pools: Sequence[Pool], now: Micros) -> list[Pool]:
    return [pool for pool in pools if lives(pool, now) and pool.state == "running"]


def _serving(pools: Sequence[Pool], need: Need) -> list[Pool]:
    return [pool for pool in pools if not pool.queues or need.queue in pool.queues]


def _names(pools: Sequence[Pool]) -> str:
    names = ", ".join(str(pool.id) for pool in pools[:3])
    more = f" and {len(pools) - 3} more" if len(pools) > 3 else ""
    return f"pool{'s' if len(pools) > 1 else ''} {names}{more}"
