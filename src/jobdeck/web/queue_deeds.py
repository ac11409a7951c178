"""What can be done to queues that were selected: stop, pause, resume; and the limits of one."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import bulk
from jobdeck.actions import queues as actions
from jobdeck.domain import clock
from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.bulk import Order
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Queue
from jobdeck.domain.roles import Actor
from jobdeck.domain.states import Status
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import queues
from jobdeck.web import deeds
from jobdeck.web.deeds import Done, Form, Report, Target
from jobdeck.web.fields import Answers, Field, number_field, reason, reason_field, refill, whole
from jobdeck.web.formats import number, plural
from jobdeck.web.render import AnyRequest, AtPages

PATHS = [f"/queues/{name}" for name in ("stop", "pause", "resume")]

AT_ONCE = 1000
"""So few jobs are stopped while the caller waits; more of them by a job of the queue BULK."""

SLOWLY = (
    " A job of the queue BULK does it: it shows how far it is and can be stopped. Jobs that begin "
    "before their turn are asked to stop, too."
)


class _Deed(NamedTuple):
    verb: str
    text: str
    icon: str
    danger: bool
    required: bool
    about: Callable[[Queue], str]
    act: Callable[[Deck, Actor, str, str], str | tuple[str, int]]


def _stop(deck: Deck, actor: Actor, reason: str, name: str) -> str | tuple[str, int]:
    with deck.store.read() as conn:
        queue = queues.get(conn, name, clock.now())
    if _long(queue):
        job = stop_many(deck, actor, reason, [name])
        return f"job {job} stops {plural(queue.pending, 'job')}, one after the other", job
    return f"{plural(actions.stop(deck.store, actor, reason, name).total, 'job')} stopped"


def _long(queue: Queue) -> bool:
    return queue.pending > AT_ONCE and not queue.builtin


def stop_many(deck: Deck, actor: Actor, reason: str, names: list[str]) -> int:
    """Create the job that stops all that is pending in these queues now; gives its number."""
    wanted = JobFilter(queue=",".join(names), status=(Status.PENDING,))
    text = f"queue:{wanted.queue} status:pending"
    order = Order(action="stop")
    return bulk.start(deck.store, actor, reason, order, wanted=wanted, text=text).id


def _pause(deck: Deck, actor: Actor, reason: str, name: str) -> str:
    (queue,) = actions.pause(deck.store, actor, reason, name)
    return "paused" if queue.paused_reason == reason else "was paused already and stays so"


def _resume(deck: Deck, actor: Actor, reason: str, name: str) -> str:
    actions.resume(deck.store, actor, reason, name)
    return "runs again"


def _waiting(queue: Queue) -> str:
    return f"{number(queue.pending)} pending"


def _held(queue: Queue) -> str:
    if queue.name == SCHEDULER:
        return "no schedule fires while it is paused"
    goes_on = f", {number(queue.running)} running" if queue.running else ""
    return f"{number(queue.pending)} pending{goes_on}"


def _released(queue: Queue) -> str:
    if queue.paused_at is None:
        return "is not paused"
    if queue.name == SCHEDULER:
        return "schedules fire again"
    return f"{number(queue.pending)} pending"


_DEEDS = {
    "stop": _Deed(
        "Stop",
        "Their pending jobs become stopped. Running, scheduled and retrying jobs are not touched, "
        "and new jobs can still be created.",
        "stop",
        True,
        True,
        _waiting,
        _stop,
    ),
    "pause": _Deed(
        "Pause",
        "Their jobs are handed out no more. What runs goes on, jobs can still be created, and no "
        "job changes its status.",
        "pause",
        False,
        True,
        _held,
        _pause,
    ),
    "resume": _Deed(
        "Resume", "Their jobs are handed out again.", "play", False, False, _released, _resume
    ),
}


@get(PATHS, opt=OPERATOR)
async def ask(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form of a deed."""
    names = await deeds.chosen(request, "queue")
    return await deeds.ask(pages, request, partial(_form, deck, deeds.named(request), names))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Do it to each, or show the form again with what is wrong."""
    names = await deeds.chosen(request, "queue")
    name = deeds.named(request)
    deed = _DEEDS[name]

    def act(given: Answers) -> Report:
        why = reason(given, required=deed.required)
        outcomes = deeds.each(names, lambda queue: deed.act(deck, actor, why, queue), str)
        return Report(outcomes=outcomes, to="/queues", noun="queues")

    return await deeds.do(pages, request, partial(_form, deck, name, names), act)


@get("/queues/{name:str}/limits", opt=OPERATOR)
async def ask_limits(
    request: AnyRequest, deck: AtDeck, pages: AtPages, name: FromPath[str]
) -> Response[str]:
    """The form of a queue's limits."""
    return await deeds.ask(pages, request, partial(_limits_form, deck, name))


@post("/queues/{name:str}/limits", opt=OPERATOR, status_code=200)
async def limit(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[Any]:
    """Set them, or show the form again with what is wrong."""

    def act(given: Answers) -> Done:
        changes = {
            "max_running": whole(given, "max_running"),
            "rate": given.get("rate", "").strip() or None,
        }
        actions.limit(deck.store, actor, reason(given, required=False), name, changes)
        return Done(notice=f"The limits of queue {name} are set.", to="/queues")

    return await deeds.do(pages, request, partial(_limits_form, deck, name), act)


def _form(deck: Deck, name: str, names: list[str], given: Answers) -> Form:
    deed = _DEEDS[name]
    now = clock.now()
    with deck.store.read() as conn:
        found = [queues.get(conn, each, now) for each in names]
    what = f"queue {names[0]}" if len(names) == 1 else plural(len(names), "queue")
    return Form(
        address=f"/queues/{name}",
        back="/queues",
        title=f"{deed.verb} {what}?",
        text=(deed.text if len(names) > 1 else deed.text.replace("Their", "Its", 1))
        + (SLOWLY if name == "stop" and any(map(_long, found)) else ""),
        submit=f"{deed.verb} {what if len(names) > 1 else 'the queue'}",
        icon=deed.icon,
        danger=deed.danger,
        targets=[Target(queue.name, deed.about(queue)) for queue in found],
        hidden=[("queue", queue.name) for queue in found],
        fields=[reason_field(given, required=deed.required)],
        noun="queues",
    )


def _limits_form(deck: Deck, name: str, given: Answers) -> Form:
    with deck.store.read() as conn:
        queue = queues.get(conn, name, clock.now())
    return Form(
        address=f"/queues/{name}/limits",
        back="/queues",
        title=f"Limits of queue {name}",
        text="What runs goes on; a lower limit lets no more start until enough have ended.",
        submit="Set the limits",
        icon="limit",
        fields=refill(
            [
                number_field(
                    "max_running",
                    "Jobs at once",
                    queue.max_running,
                    "How many of its jobs may run at the same time, over all pools. Empty: any "
                    "number. To let nothing run, pause the queue.",
                ),
                Field(
                    name="rate",
                    label="Rate",
                    value=queue.rate or "",
                    hint="How many may start in a time: 10/s, 100/5m, 1000/h. Empty: any number.",
                ),
                reason_field(given, required=False),
            ],
            given,
        ),
        noun="queues",
    )
