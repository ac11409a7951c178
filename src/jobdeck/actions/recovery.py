"""Getting jobs on that lost what they need, without touching any that lives."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from jobdeck.actions.perform import Tx, action
from jobdeck.domain.clock import Micros
from jobdeck.domain.liveness import GIVE_BACK, PROMOTE, STALE_S, WAITING, WAKE, Recovery, Verdict
from jobdeck.domain.roles import Role
from jobdeck.store import delays, events, orphans, outcomes, standing

JOBS_MAX = 1000
"""Jobs that one call tells of, and changes, at the most."""


@action("jobs.recover", Role.OPERATOR, "recover jobs", wakes=True)
def recover(tx: Tx, *, dry_run: bool = False, stale_s: float = STALE_S) -> Recovery:
    """Give jobs back whose pool is gone, wake parents whose children have ended, and make jobs
    pending whose time has passed. Whatever lives is skipped, and it is said why. With `dry_run`
    it is only said what would be done.

    Raises:
        InvalidValue: `stale_s` is less than a minute.
    """
    tx.target = "jobs"
    found = [v for v in standing.verdicts(tx.conn, tx.now, stale_s) if v.kind != WAITING]
    found, more = found[:JOBS_MAX], len(found) > JOBS_MAX
    if not dry_run:
        found = _carry_out(tx, found)
    done = [verdict for verdict in found if verdict.outcome == "done"]
    tx.detail = {
        "dry_run": dry_run,
        "recovered": [verdict.job for verdict in done][:100],
        "number": len(done),
        "skipped": sum(not verdict.remedy for verdict in found),
    }
    for verdict in done[:20]:
        tx.changed("job", verdict.job, "recovered")
    if done:
        tx.changed("jobs", "", "recovered")
    return Recovery(jobs=found, dry_run=dry_run, more=more)


def _carry_out(tx: Tx, found: Sequence[Verdict]) -> list[Verdict]:
    by_remedy: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in found:
        by_remedy[verdict.remedy].append(verdict)
    done: set[int] = set()
    for remedy, act in _REMEDIES.items():
        done |= act(tx, by_remedy[remedy])
    made = []
    for verdict in found:
        outcome = "skipped"
        if verdict.remedy:
            outcome = "done" if verdict.job in done else "changed meanwhile"
        if outcome == "done":
            events.add(tx.conn, verdict.job, tx.now, "recovered", verdict.why, tx.actor.name)
        made.append(msgspec.structs.replace(verdict, outcome=outcome))
    return made


def _give_back(tx: Tx, found: Sequence[Verdict]) -> set[int]:
    by_why: dict[str, list[int]] = defaultdict(list)
    for verdict in found:
        by_why[verdict.why.rstrip(".")].append(verdict.job)
    done = set()
    for why, ids in by_why.items():
        message = f"recovered by {tx.actor.name}: {why}"
        done |= {ending.job_id for ending in orphans.give_back(tx.conn, ids, message, tx.now)}
    return done


def _wake(tx: Tx, found: Sequence[Verdict]) -> set[int]:
    now: Micros = tx.now
    return {v.job for v in found if outcomes.wake_parked(tx.conn, v.job, now)}


def _promote(tx: Tx, found: Sequence[Verdict]) -> set[int]:
    return set(delays.promote_these(tx.conn, [verdict.job for verdict in found]))


_REMEDIES: dict[str, Callable[[Tx, Sequence[Verdict]], set[int]]] = {
    GIVE_BACK: _give_back,
    WAKE: _wake,
    PROMOTE: _promote,
}
