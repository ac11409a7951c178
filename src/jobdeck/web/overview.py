"""The overview: what waits, what runs, what is wrong."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.liveness import STALE_S
from jobdeck.domain.records import Job, Queue, Schedule
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.serving import lives
from jobdeck.domain.states import Status
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import By
from jobdeck.store import counters, error_groups, jobs, pools, queues, schedules, standing
from jobdeck.web import activity, live, overview_deeds, troubles
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

RUNNING = 12
FAILURES = 8
FAILURES_READ = 40
FAILURES_PAGES = 5
"""Further ones are read where all of the newest are muted."""

RECENT_S = 86_400
STUCK_S = 5.0
"""Looking for stuck jobs takes longer than all else here, so it is done so seldom."""


@get("/", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Everything at a glance."""
    view = _view(pages, actor)
    return live.page(pages, request, view, "overview/page.html", noun="overview")


@get("/live", opt=VIEWER)
async def stream(request: AnyRequest, pages: AtPages, actor: By) -> Stream:
    """What changes on it."""
    return live.stream(pages, request, _view(pages, actor))


def _view(pages: Pages, actor: Actor) -> View:
    return View(
        lambda conn, now, _: _frame(pages, conn, actor, now),
        topics=("jobs", "queue", "schedule", "pool", "error"),
        key=("overview", actor.role),
    )


def _frame(pages: Pages, conn: Connection, actor: Actor, now: Micros) -> Frame:
    counts = counters.totals(conn)
    all_queues = queues.all(conn, now)
    every_pool = pools.all(conn)
    all_schedules = schedules.all(conn)
    running = jobs.find(conn, JobFilter(status=(Status.RUNNING,)), limit=RUNNING).items
    failures, muted = _failures(conn, now)
    stuck = pages.remembered(
        "stuck", STUCK_S, lambda: standing.stuck(conn, now, STALE_S, troubles.STUCK)
    )
    found = [
        *troubles.of_queues(all_queues, every_pool, now),
        *troubles.of_pools(every_pool, now),
        *troubles.of_schedules(all_schedules, now),
        *troubles.of_flows(conn, {job.flow for job, _ in failures}),
        *troubles.of_jobs(stuck),
    ]
    all_pools = [pool for pool in every_pool if lives(pool, now)]
    waiting = counts[Status.PENDING]
    shared = {
        "counts": {status.value: n for status, n in counts.items()},
        "waiting": waiting,
        "now": now,
        "role": actor.role,
    }
    busy = sum(min(pool.busy, pool.concurrency) for pool in all_pools)
    long = troubles.long_waits(all_queues) if actor.role >= Role.OPERATOR else []
    return Frame(
        {
            "banner": pages.html("queues/banner.html", long=long),
            "cards": pages.html(
                "overview/cards.html",
                **shared,
                **_queue_card(all_queues),
                schedules=_schedule_card(all_schedules, all_queues),
                pools=len(all_pools),
                workers=sum(pool.concurrency for pool in all_pools),
                busy=busy,
                deeds=overview_deeds.refusals(actor, waiting, len(all_schedules), busy),
            ),
            "attention": pages.html(
                "overview/attention.html",
                **shared,
                troubles=found,
                recoverable=any(verdict.remedy for verdict in stuck),
                failures=failures,
                muted=muted,
            ),
            "activity": activity.panel(pages, conn, now, activity.DAY),
            "running": pages.html(
                "overview/running.html",
                **shared,
                running=running,
                empty=not any(counts.values()),
            ),
        },
        # Nobody tells when something has waited for too long.
        ticks_s=STUCK_S,
    )


def _schedule_card(
    all_schedules: Sequence[Schedule], all_queues: Sequence[Queue]
) -> dict[str, Any]:
    """How many tick and how many are paused; `halted` if none creates a job."""
    held = any(q.name == SCHEDULER and q.paused_at for q in all_queues)
    return {
        "total": len(all_schedules),
        "active": sum(s.paused_at is None for s in all_schedules),
        "paused": sum(s.paused_at is not None for s in all_schedules),
        "held": held,
        "halted": held or (bool(all_schedules) and all(s.paused_at for s in all_schedules)),
    }


def _queue_card(all_queues: Sequence[Queue]) -> dict[str, Any]:
    """The two queues with most pending jobs, and how many the others hold."""
    holding = sorted((q for q in all_queues if q.pending), key=lambda q: (-q.pending, q.name))
    return {
        "largest": [(q.name, q.pending) for q in holding[:2]],
        "others": sum(q.pending for q in holding[2:]) if len(holding) > 2 else None,
    }


def _failures(conn: Connection, now: Micros) -> tuple[list[tuple[Job, int]], bool]:
    """The newest failures of the last day; those of one flow that are alike stand together,
    the newest with their number. And whether some are left out, since their errors are muted."""
    since = now - RECENT_S * SECOND
    alike: dict[tuple[str, str], list[Job]] = {}
    muted: set[int] = set()
    cursor = None
    for _ in range(FAILURES_PAGES):
        page = jobs.find(
            conn, JobFilter(status=(Status.FAILED,)), limit=FAILURES_READ, cursor=cursor
        )
        recent = [job for job in page.items if job.finished_at and job.finished_at >= since]
        muted |= error_groups.muted(conn, [job.id for job in recent]) if recent else set()
        for job in recent:
            if job.id not in muted:
                kind = job.error.type if job.error else job.reason or ""
                alike.setdefault((job.flow, kind), []).append(job)
        cursor = page.next
        if cursor is None or not recent or alike:
            break
    return [(found[0], len(found)) for found in list(alike.values())[:FAILURES]], bool(muted)
