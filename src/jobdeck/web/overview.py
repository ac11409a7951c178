"""The overview: what waits, what runs, what is wrong."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job, Queue, Schedule
from jobdeck.domain.roles import Actor
from jobdeck.domain.states import Status
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import activity, counters, jobs, pools, queues, schedules
from jobdeck.web import formats, live, overview_deeds, troubles
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.render import AnyRequest, AtPages, Pages

RUNNING = 12
FAILURES = 8
FAILURES_READ = 40
RECENT_S = 86_400
_RANGE_WORDS = {
    86_400: "last 24 hours",
    21_600: "last 6 hours",
    3_600: "last hour",
    600: "last 10 minutes",
    60: "last minute",
}


@get("/", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """Everything at a glance."""
    now = clock.now()
    frame = _draw(pages, actor, now)
    return pages.page(
        request,
        "overview/page.html",
        noun="overview",
        now=now,
        regions=frame.regions,
        seen=str(live.seen(frame)),
    )


@get("/live", opt=VIEWER)
async def stream(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Stream:
    """What changes on it."""

    def draw(_position: int) -> Frame:
        return _draw(pages, actor, clock.now())

    view = View(
        draw,
        topics=("jobs", "queue", "schedule", "pool"),
        key=("overview", actor.role),
    )
    return live.stream(deck, pages.drawings, request, view)


def _draw(pages: Pages, actor: Actor, now: Micros) -> Frame:
    with pages.deck.store.read() as conn:
        counts = counters.totals(conn)
        all_queues = queues.all(conn, now)
        all_pools = [pool for pool in pools.all(conn) if pool.state != pools.LOST]
        all_schedules = schedules.all(conn)
        running = jobs.find(conn, JobFilter(status=(Status.RUNNING,)), limit=RUNNING).items
        failures = _failures(conn, now)
        chart = _activity(conn, now)
    halted = _halted(all_schedules, all_queues)
    waiting = counts[Status.PENDING]
    shared = {
        "counts": {status.value: n for status, n in counts.items()},
        "waiting": waiting,
        "now": now,
        "role": actor.role,
    }
    busy = sum(min(pool.busy, pool.concurrency) for pool in all_pools)
    return Frame(
        {
            "cards": pages.html(
                "overview/cards.html",
                **shared,
                **_queue_card(all_queues),
                schedules={
                    "total": len(all_schedules),
                    "active": sum(s.paused_at is None for s in all_schedules),
                    "paused": sum(s.paused_at is not None for s in all_schedules),
                    "halted": halted,
                },
                pools=len(all_pools),
                workers=sum(pool.concurrency for pool in all_pools),
                busy=busy,
                deeds=overview_deeds.refusals(actor, waiting, len(all_schedules), busy),
            ),
            "attention": pages.html(
                "overview/attention.html",
                **shared,
                troubles=troubles.of_queues(all_queues, all_pools, now),
                failures=failures,
            ),
            "activity": pages.html("overview/activity.html", activity=chart),
            "running": pages.html(
                "overview/running.html",
                **shared,
                running=running,
                empty=not any(counts.values()),
            ),
        }
    )


def _queue_card(all_queues: Sequence[Queue]) -> dict[str, Any]:
    """The two queues with most pending jobs, and how many the others hold."""
    holding = sorted((q for q in all_queues if q.pending), key=lambda q: (-q.pending, q.name))
    return {
        "largest": [(q.name, q.pending) for q in holding[:2]],
        "others": sum(q.pending for q in holding[2:]) if len(holding) > 2 else None,
    }


def _halted(all_schedules: Sequence[Schedule], all_queues: Sequence[Queue]) -> bool:
    """Whether no schedule fires."""
    if any(q.name == SCHEDULER and q.paused_at for q in all_queues):
        return True
    return bool(all_schedules) and all(s.paused_at is not None for s in all_schedules)


def _failures(conn: Connection, now: Micros) -> list[tuple[Job, int]]:
    """The newest failures of the last day; those of one flow that are alike stand together,
    the newest with their number."""
    since = now - RECENT_S * SECOND
    alike: dict[tuple[str, str], list[Job]] = {}
    for job in jobs.find(conn, JobFilter(status=(Status.FAILED,)), limit=FAILURES_READ).items:
        if job.finished_at is not None and job.finished_at >= since:
            kind = job.error.type if job.error else job.reason or ""
            alike.setdefault((job.flow, kind), []).append(job)
    return [(found[0], len(found)) for found in list(alike.values())[:FAILURES]]


def _activity(conn: Connection, now: Micros) -> dict[str, Any]:
    """The chart's data, and what it shows in words."""
    found = activity.recent(conn, now)
    if found is None:
        return {
            "title": "Jobs created",
            "text": "more than 20,000 in the last minute, too many for a chart",
            "bars": [],
            "bar_s": 0,
        }
    total = sum(b.completed + b.failed + b.stopped + b.open for b in found.bars)
    return {
        "title": "Jobs created",
        "text": f"{_RANGE_WORDS[found.range_s]}: {formats.number(total)}",
        "bars": found.bars if total else [],
        "bar_s": found.bar_s,
    }
