"""What can be done to everything at once: stop all that waits, pause schedules, free workers."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from litestar import Response, get, post

from jobdeck.actions import pools as pool_actions
from jobdeck.actions import queues as queue_actions
from jobdeck.actions import recovery
from jobdeck.actions import schedules as schedule_actions
from jobdeck.domain import clock
from jobdeck.domain.liveness import STALE_S
from jobdeck.domain.records import Queue
from jobdeck.domain.roles import Actor, Role
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import pools, queues, schedules, standing
from jobdeck.web import deeds
from jobdeck.web.deeds import Done, Form
from jobdeck.web.fields import Answers, reason, reason_field
from jobdeck.web.formats import number, plural
from jobdeck.web.queue_deeds import AT_ONCE, SLOWLY, stop_many
from jobdeck.web.render import AnyRequest, AtPages
from jobdeck.web.troubles import STUCK


class _Deed(NamedTuple):
    title: str
    submit: str
    icon: str
    danger: bool
    targets: Callable[[Deck], str]
    act: Callable[[Deck, Actor, str], str | tuple[str, int]]


def _with_pending(deck: Deck) -> list[Queue]:
    with deck.store.read() as conn:
        return [q for q in queues.all(conn, clock.now()) if q.pending and not q.builtin]


def _waiting(deck: Deck) -> str:
    found = _with_pending(deck)
    if not found:
        return "No job is pending at this moment."
    total = sum(q.pending for q in found)
    named = ", ".join(f"{q.name} ({number(q.pending)})" for q in found[:10])
    more = f" and {plural(len(found) - 10, 'more queue')}" if len(found) > 10 else ""
    return (
        f"{plural(total, 'pending job')} will be stopped, in {named}{more}. Running, scheduled and "
        f"retrying jobs are not touched.{SLOWLY if total > AT_ONCE else ''}"
    )


def _stop_queues(deck: Deck, actor: Actor, reason: str) -> str | tuple[str, int]:
    found = _with_pending(deck)
    total = sum(q.pending for q in found)
    if total > AT_ONCE:
        job = stop_many(deck, actor, reason, [q.name for q in found])
        return f"Job {job} stops {plural(total, 'job')}, one after the other.", job
    done = queue_actions.stop(deck.store, actor, reason, queue_actions.ALL)
    return f"{plural(done.total, 'job')} stopped in {plural(len(done.queues), 'queue')}."


def _schedules(deck: Deck) -> str:
    with deck.store.read() as conn:
        found = schedules.all(conn)
    paused = sum(s.paused_at is not None for s in found)
    alone = (
        f", of which {number(paused)} {'is' if paused == 1 else 'are'} paused by "
        f"{'itself' if paused == 1 else 'themselves'} and {'stays' if paused == 1 else 'stay'} so"
        if paused
        else ""
    )
    return f"{plural(len(found), 'schedule')}{alone}. "


def _to_pause(deck: Deck) -> str:
    return _schedules(deck) + (
        "The queue SCHEDULER is paused: until it is resumed no schedule creates jobs, also none "
        "that is added meanwhile."
    )


def _to_resume(deck: Deck) -> str:
    return _schedules(deck) + (
        "What becomes of the ticks that were missed is for each schedule's rule to say."
    )


def _pause_schedules(deck: Deck, actor: Actor, reason: str) -> str:
    schedule_actions.pause(deck.store, actor, reason, None)
    return "Every schedule is paused."


def _resume_schedules(deck: Deck, actor: Actor, reason: str) -> str:
    found = schedule_actions.resume(deck.store, actor, reason, None)
    alone = sum(schedule.paused_at is not None for schedule in found)
    stay = f" {number(alone)} {'stays' if alone == 1 else 'stay'} paused." if alone else ""
    return f"Schedules run again.{stay}"


def _busy(deck: Deck) -> str:
    with deck.store.read() as conn:
        found = [w for w in pools.list_workers(conn) if w.job is not None]
    if not found:
        return "No worker is busy at this moment."
    named = ", ".join(f"{w.job_name} {w.job}" for w in found[:10])
    more = f" and {number(len(found) - 10)} more" if len(found) > 10 else ""
    return (
        f"{plural(len(found), 'running job')} will be asked to stop, and killed if not ended after "
        f"the grace time: {named}{more}."
    )


def _free_workers(deck: Deck, actor: Actor, reason: str) -> str:
    freed = pool_actions.free(deck.store, actor, reason, None)
    asked = [each for each in freed if not each.error]
    return f"{plural(len(asked), 'running job')} asked to stop."


def _stuck(deck: Deck) -> str:
    with deck.store.read() as conn:
        found = standing.stuck(conn, clock.now(), STALE_S, STUCK)
    helped = [verdict for verdict in found if verdict.remedy]
    if not helped:
        return "No job can be helped without harm at this moment."
    named = ", ".join(f"{v.flow} {v.job}" for v in helped[:10])
    more = f" and {number(len(helped) - 10)} more" if len(helped) > 10 else ""
    return (
        f"{plural(len(helped), 'job')} will get on again: {named}{more}. Those of lost pools are "
        "given back to their queue, parents whose children have ended are woken, and jobs whose "
        "time has passed become pending. Whatever lives is left alone."
    )


def _recover(deck: Deck, actor: Actor, reason: str) -> str:
    done = recovery.recover(deck.store, actor, reason)
    helped = [verdict for verdict in done.jobs if verdict.outcome == "done"]
    return f"{plural(len(helped), 'job')} recovered."


_DEEDS = {
    "/recover": _Deed("Recover stuck jobs?", "Recover", "again", False, _stuck, _recover),
    "/queues/all/stop": _Deed(
        "Stop all that waits?", "Stop all", "stop", True, _waiting, _stop_queues
    ),
    "/schedules/all/pause": _Deed(
        "Pause all schedules?", "Pause all", "pause", False, _to_pause, _pause_schedules
    ),
    "/schedules/all/resume": _Deed(
        "Resume all schedules?", "Resume all", "play", False, _to_resume, _resume_schedules
    ),
    "/workers/all/free": _Deed("Free all workers?", "Free all", "stop", True, _busy, _free_workers),
}
PATHS = list(_DEEDS)


def refusals(actor: Actor, waiting: int, scheduled: int, busy: int) -> dict[str, str]:
    """Why each of the cards' buttons cannot act; empty: it can."""
    role = deeds.why_not(actor, Role.OPERATOR)
    return {
        "stop_all": role or ("" if waiting else "No job is pending."),
        "schedules": role or ("" if scheduled else "There is no schedule."),
        "free_all": role or ("" if busy else "No worker is busy."),
    }


@get(PATHS, opt=OPERATOR)
async def ask(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form of a deed."""
    return await deeds.ask(pages, request, partial(_form, deck, _path(request, deck)))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    path = _path(request, deck)

    def act(given: Answers) -> Done:
        told = _DEEDS[path].act(deck, actor, reason(given, required=True))
        pages.forget("stuck")
        notice, job = told if isinstance(told, tuple) else (told, None)
        return Done(notice=notice, to="/", watch=job, link=f"/jobs/{job}" if job else "")

    return await deeds.do(pages, request, partial(_form, deck, path), act)


def _path(request: AnyRequest, deck: Deck) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(deck.base_path).rstrip("/")


def _form(deck: Deck, path: str, given: Answers) -> Form:
    deed = _DEEDS[path]
    return Form(
        address=path,
        back="/",
        title=deed.title,
        text=deed.targets(deck),
        submit=deed.submit,
        icon=deed.icon,
        danger=deed.danger,
        fields=[reason_field(given, required=True)],
    )
