"""Why a job is where it is: one sentence from the facts, with an estimate where one can be made."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros, format_duration, to_datetime
from jobdeck.domain.facts import Facts, Family, Line, Stop
from jobdeck.domain.records import Job
from jobdeck.domain.serving import lack, lives, takers
from jobdeck.domain.states import REASONS, Reason, Status

CODES = (
    *("completed", "failed", "stopped"),
    *("running", "stopping", "pool_lost", "waits_for_children", "not_woken"),
    *("scheduled", "retrying", "overdue"),
    *("handed_out", "queue_paused", "not_published", "no_pool", "pools_draining"),
    *("queue_not_served", "pool_starting", "other_version", "not_loaded", "no_maintenance"),
    *("limit_reached", "rate_used_up", "behind", "workers_busy", "about_to_start"),
)
"""Every code that an answer may have."""

OVERDUE_S = 10.0
"""A job whose time came longer ago than this should have been made pending."""


class Why(Struct, frozen=True, kw_only=True):
    """Why a job is where it is. `code` is one of `CODES`; `advice` what to do, if anything is to
    be done; `estimate_s` how long it will take until it starts, or while it runs until it ends;
    `details` the facts behind the sentence."""

    status: Status
    code: str
    sentence: str
    advice: str = ""
    estimate_s: float | None = None
    details: dict[str, Any] = {}


def why(facts: Facts) -> Why:
    """Why the job is where it is."""
    status = facts.job.status
    if status.final:
        return _ended(facts)
    if status == Status.RUNNING:
        return _parked(facts) if facts.parked else _running(facts)
    if status in (Status.SCHEDULED, Status.RETRYING):
        return _delayed(facts)
    for rule in _PENDING:
        found = rule(facts)
        if found is not None:
            return found
    return _say(facts, "about_to_start", "It is next and about to start.", estimate_s=0.0)


def at_time(at: Micros, now: Micros) -> str:
    """A time in words: without the date if it is today's, with seconds if it is near."""
    moment = to_datetime(at)
    text = f"{moment:%H:%M:%S}" if abs(at - now) < 120 * SECOND else f"{moment:%H:%M}"
    day = "" if moment.date() == to_datetime(now).date() else f"{moment:%Y-%m-%d} "
    return f"{day}{text} UTC"


def roughly(seconds: float) -> str:
    """An estimated duration in words, no more exact than it can be."""
    for unit, size, upto in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 129_600)):
        if seconds < upto:
            return f"about {max(round(seconds / size), 1)} {unit}"
    return f"about {round(seconds / 86400)} d"


def _say(facts: Facts, code: str, sentence: str, **more: Any) -> Why:
    return Why(status=facts.job.status, code=code, sentence=sentence, **more)


def _because(reason: str) -> str:
    return f": {reason.strip().rstrip('.')}" if reason.strip() else ""


# -- ended ----------------------------------------------------------------------------------


def _ended(facts: Facts) -> Why:
    job = facts.job
    at = f" at {at_time(job.finished_at, facts.now)}" if job.finished_at is not None else ""
    details = {"reason": job.reason, "finished_at": job.finished_at, "attempt": job.attempt}
    if job.status == Status.COMPLETED:
        sentence = f"It completed{at}{_meaning(job)}."
        return _say(facts, "completed", sentence, details=details)
    if job.status == Status.FAILED:
        return _say(facts, "failed", f"It failed{at}{_failure(job)}.", details=details)
    stop = facts.stop
    deed = "was killed" if job.reason == Reason.KILLED else "was stopped"
    if job.reason == Reason.PARENT_STOPPED:
        deed = f"was stopped with its parent, job {job.parent},"
    if stop is not None and stop.by:
        told = f" by {stop.by}{_because(stop.reason)}"
    else:
        known = re.match(r"(?:stopped|killed)( by .*)", job.message, re.DOTALL)
        told = known[1].rstrip(".") if known else _because(job.message)
    return _say(facts, "stopped", f"It {deed}{at}{told}.", details=details)


def _meaning(job: Job) -> str:
    if job.reason is None:
        return ""
    return f"; it {REASONS[job.reason].meaning}{_because(job.message)}"


def _failure(job: Job) -> str:
    tried = f", in attempt {job.attempt}" if job.attempt > 1 else ""
    if job.error is not None:
        step = f" in its step {job.error.step}" if job.error.step else ""
        return f"{step}{tried}{_because(f'{job.error.type}: {job.error.message}')}"
    meaning = REASONS[job.reason].meaning if job.reason is not None else ""
    return f"{tried}{_because(job.message or meaning)}"


# -- running --------------------------------------------------------------------------------


def _running(facts: Facts) -> Why:
    job, now = facts.job, facts.now
    for_ = format_duration(job.duration_s(now) or 0.0)
    where = f"worker {job.worker} of pool {job.pool}"
    details: dict[str, Any] = {"pool": job.pool, "worker": job.worker, "started_at": job.started_at}
    pool = next((each for each in facts.pools if each.id == job.pool), None)
    if pool is None or not lives(pool, now):
        heard = ""
        if pool is not None:
            ago = format_duration((now - pool.heartbeat_at) / SECOND)
            heard = f", which was heard of last {ago} ago"
        return _say(
            facts,
            "pool_lost",
            f"It ran in pool {job.pool}{heard or ', which has ended'}; it goes back to its queue "
            "when the loss is noticed.",
            advice="jobdeck jobs recover",
            details=details,
        )
    if facts.stop is not None:
        return _stopping(facts, facts.stop, details)
    left = _rest(facts)
    progress = ""
    if job.progress is not None:
        done = job.progress.fraction
        some = f"{job.progress.done:,}" if done is None else f"{int(done * 100)}%"
        progress = f", {some} done"
        progress += _because(job.progress.note)
    rest = f"; {roughly(left)} left" if left is not None else ""
    sentence = f"It has been running for {for_} in {where}{progress}{rest}."
    return _say(facts, "running", sentence, estimate_s=left, details=details)


def _stopping(facts: Facts, stop: Stop, details: dict[str, Any]) -> Why:
    since = f" at {at_time(stop.at, facts.now)}" if stop.at is not None else ""
    what = "kill" if stop.kind == "kill" else "stop"
    end = (
        "its process is being killed"
        if what == "kill"
        else "it is killed unless it ends by itself within the grace time"
    )
    return _say(
        facts,
        "stopping",
        f"{stop.by or 'Somebody'} asked{since} to {what} it{_because(stop.reason)}; {end}.",
        details={**details, "by": stop.by, "asked_at": stop.at},
    )


def _rest(facts: Facts) -> float | None:
    """Seconds until it ends: by its own progress, else by what such jobs took lately."""
    elapsed = facts.job.duration_s(facts.now)
    if elapsed is None:
        return None
    done = facts.job.progress.fraction if facts.job.progress is not None else None
    if done:
        return elapsed * (1 - done) / done
    if facts.typical_s is not None and facts.typical_s > elapsed:
        return facts.typical_s - elapsed
    return None


def _parked(facts: Facts) -> Why:
    family = facts.family or Family(total=0, completed=0, failed=0, stopped=0)
    details = {"children": family.total, "open": family.open, "failed": family.failed}
    if family.open <= 0:
        return _say(
            facts,
            "not_woken",
            f"Its {family.total} children have ended, but nothing has woken it.",
            advice="jobdeck jobs recover",
            details=details,
        )
    failed = f" ({family.failed} failed)" if family.failed else ""
    return _say(
        facts,
        "waits_for_children",
        f"It waits for its children: {family.total - family.open:,} of {family.total:,} have "
        f"ended{failed}, {family.open:,} have not.",
        details=details,
    )


# -- waiting for a time ---------------------------------------------------------------------


def _delayed(facts: Facts) -> Why:
    job, now = facts.job, facts.now
    run_at = job.run_at if job.run_at is not None else now
    left = (run_at - now) / SECOND
    failed = ""
    if job.status == Status.RETRYING:
        error = f"{job.error.type}: {job.error.message}" if job.error is not None else job.message
        failed = f"Attempt {job.attempt} failed{_because(error)}; "
    details = {"run_at": run_at, "attempt": job.attempt}
    if left < -OVERDUE_S:
        sentence = f"{failed}its time, {at_time(run_at, now)}, has come, but no pool has noticed."
        none = not any(lives(pool, now) for pool in facts.pools if not pool.builtin)
        return _say(
            facts,
            "overdue",
            _begin(sentence),
            advice="No pool is alive: jobdeck worker TARGET" if none else "jobdeck jobs recover",
            details=details,
        )
    when = f"{at_time(run_at, now)}, in {format_duration(max(left, 0.0))}"
    what = f"it is tried again at {when}" if failed else f"it waits for its time, {when}"
    code = "retrying" if failed else "scheduled"
    return _say(facts, code, _begin(f"{failed}{what}."), estimate_s=max(left, 0.0), details=details)


def _begin(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


# -- pending --------------------------------------------------------------------------------


def _handed_out(facts: Facts) -> Why | None:
    if facts.handed_to is None:
        return None
    pool = facts.handed_to
    if facts.stop is not None:
        return _stopping(facts, facts.stop, {"pool": pool})
    return _say(
        facts,
        "handed_out",
        f"Pool {pool} has taken it; it begins as soon as a worker is done with what it runs.",
        details={"pool": pool},
    )


def _paused(facts: Facts) -> Why | None:
    pause, queue = facts.pause, facts.job.queue
    if pause is None:
        return None
    by = f" by {pause.by}" if pause.by else ""
    return _say(
        facts,
        "queue_paused",
        f"Its queue {queue} was paused{by} at {at_time(pause.at, facts.now)}"
        f"{_because(pause.reason)}.",
        advice=f"jobdeck queues resume {queue}",
        details={"queue": queue, "paused_by": pause.by, "paused_at": pause.at},
    )


def _untaken(facts: Facts) -> Why | None:
    found = lack(facts.pools, facts.need, facts.now)
    if found is None:
        return None
    details = {"queue": facts.need.queue, "pipeline": facts.need.pipeline}
    return _say(facts, found.code, found.sentence, advice=found.advice, details=details)


def _limited(facts: Facts) -> Why | None:
    for limit in facts.limits:
        if limit.max_running is None or limit.running < limit.max_running:
            continue
        return _say(
            facts,
            "limit_reached",
            f"Its {limit.kind} {limit.name} runs {limit.running} of at most {limit.max_running} "
            f"jobs at once{_behind_too(facts)}.",
            estimate_s=_until_place(facts, limit.max_running),
            details={
                limit.kind: limit.name,
                "running": limit.running,
                "max_running": limit.max_running,
                "ahead": facts.line.ahead,
            },
        )
    return None


def _rated(facts: Facts) -> Why | None:
    for limit in facts.limits:
        rate = limit.rate
        if rate is None or rate.free(limit.rate_empty_at, facts.now) > 0:
            continue
        due = rate.next_free(limit.rate_empty_at, facts.now)
        wait_s = (due - facts.now + facts.line.ahead * rate.interval) / SECOND
        return _say(
            facts,
            "rate_used_up",
            f"Its {limit.kind} {limit.name} lets {rate} start, the next one at "
            f"{at_time(due, facts.now)}{_behind_too(facts)}.",
            estimate_s=wait_s,
            details={limit.kind: limit.name, "rate": str(rate), "next_at": due},
        )
    return None


def _behind_too(facts: Facts) -> str:
    line = facts.line
    return f", and {_number(line)} before it" if line.ahead else ""


def _number(line: Line) -> str:
    if line.ahead == 1 and not line.more:
        return "1 job goes"
    return f"{'more than ' if line.more else ''}{line.ahead:,} jobs go"


def _in_line(facts: Facts) -> Why | None:
    line, able = facts.line, takers(facts.pools, facts.need, facts.now)
    workers = sum(pool.concurrency for pool in able)
    details = {"ahead": line.ahead, "workers": workers, "pools": [pool.id for pool in able]}
    if line.ahead:
        left = _until_start(facts, workers)
        rest = f"; it starts in {roughly(left)}" if left is not None else ""
        sentence = f"{_number(line)} before it{rest}."
        return _say(facts, "behind", _begin(sentence), estimate_s=left, details=details)
    if workers and sum(pool.busy for pool in able) >= workers:
        sentence = (
            "It is next, as soon as the worker is free."
            if workers == 1
            else f"It is next, as soon as one of the {workers} workers is free."
        )
        return _say(facts, "workers_busy", sentence, details=details)
    return None


def _until_place(facts: Facts, places: int) -> float | None:
    """Seconds until a place under a limit is free: those that run must end, too."""
    work_s, own_s = facts.line.work_s, facts.typical_s
    if own_s is None or (work_s is None and facts.line.ahead):
        return None
    return ((work_s or 0.0) + own_s) / places


def _until_start(facts: Facts, places: int) -> float | None:
    """Seconds of work before it, done by so many at once."""
    work_s = facts.line.work_s
    return None if work_s is None or not places else work_s / places


_PENDING: Sequence[Callable[[Facts], Why | None]] = (
    *(_handed_out, _paused, _untaken, _limited, _rated, _in_line),
)
