"""What can be done to schedules: add and edit one; pause, resume, run and remove the selected."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import schedules as actions
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import flows, schedules
from jobdeck.web import deeds, schedule_form
from jobdeck.web.deeds import Done, Form, Report, Target
from jobdeck.web.fields import Answers, reason, reason_field
from jobdeck.web.formats import plural
from jobdeck.web.render import AnyRequest, AtPages
from jobdeck.web.schedule_words import when

PATHS = [f"/schedules/{name}" for name in ("pause", "resume", "run", "remove")]


class _Deed(NamedTuple):
    verb: str
    text: str
    icon: str
    danger: bool
    required: bool
    act: Callable[[Deck, Actor, str, int], str | tuple[str, int]]


def _pause(deck: Deck, actor: Actor, reason: str, number: int) -> str:
    (schedule,) = actions.pause(deck.store, actor, reason, number)
    return "paused" if schedule.paused_reason == reason else "was paused already and stays so"


def _resume(deck: Deck, actor: Actor, reason: str, number: int) -> str:
    actions.resume(deck.store, actor, reason, number)
    return "runs again"


def _run(deck: Deck, actor: Actor, reason: str, number: int) -> tuple[str, int]:
    job = actions.run(deck.store, actor, reason, number)
    return f"job {job.id} was created", job.id


def _remove(deck: Deck, actor: Actor, reason: str, number: int) -> str:
    actions.remove(deck.store, actor, reason, number)
    return "removed"


_DEEDS = {
    "pause": _Deed(
        "Pause",
        "No jobs are created while it lasts. What becomes of the ticks that pass meanwhile is for "
        "the rule about missed ticks to say.",
        "pause",
        False,
        True,
        _pause,
    ),
    "resume": _Deed("Resume", "Jobs are created again.", "play", False, False, _resume),
    "run": _Deed(
        "Run",
        "The job that the next tick would create is created now; the ticks stay as they are.",
        "play",
        False,
        False,
        _run,
    ),
    "remove": _Deed(
        "Remove",
        "Jobs that were created remain. A schedule that the code of a pipeline declares comes back "
        "with its next version; pause it instead.",
        "delete",
        True,
        True,
        _remove,
    ),
}


@get(PATHS, opt=OPERATOR)
async def ask(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form of a deed."""
    numbers = deeds.numbers(await deeds.chosen(request, "schedule"), "schedule")
    return await deeds.ask(pages, request, partial(_form, deck, deeds.named(request), numbers))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Do it to each, or show the form again with what is wrong."""
    numbers = deeds.numbers(await deeds.chosen(request, "schedule"), "schedule")
    name = deeds.named(request)
    deed = _DEEDS[name]

    def act(given: Answers) -> Report:
        why = reason(given, required=deed.required)
        outcomes = deeds.each(
            numbers,
            lambda number: deed.act(deck, actor, why, number),
            lambda number: f"Schedule {number}",
        )
        return Report(outcomes=outcomes, to="/schedules", noun="schedules")

    return await deeds.do(pages, request, partial(_form, deck, name, numbers), act)


@get("/schedules/new", opt=OPERATOR)
async def ask_new(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form of a new one, perhaps for the flow that the address names."""
    given = {"flow": str(request.query_params.get("flow", ""))}
    return await deeds.ask(pages, request, partial(_new_form, deck), given)


@post("/schedules/new", opt=OPERATOR, status_code=200)
async def add(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Make it, or show the form again with what is wrong."""
    return await deeds.do(pages, request, partial(_new_form, deck), partial(_add, deck, actor))


@get("/schedules/{schedule_id:int}/edit", opt=OPERATOR)
async def ask_edit(
    request: AnyRequest, deck: AtDeck, pages: AtPages, schedule_id: FromPath[int]
) -> Response[str]:
    """The form of one that is there."""
    return await deeds.ask(pages, request, partial(_edit_form, deck, schedule_id))


@post("/schedules/{schedule_id:int}/edit", opt=OPERATOR, status_code=200)
async def edit(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, schedule_id: FromPath[int]
) -> Response[Any]:
    """Change what differs, or show the form again with what is wrong."""
    form = partial(_edit_form, deck, schedule_id)
    return await deeds.do(pages, request, form, partial(_edit, deck, actor, schedule_id))


def _add(deck: Deck, actor: Actor, given: Answers) -> Done:
    settings = schedule_form.read(given)
    if not given.get("flow"):
        raise InvalidValue("flow", "is required; choose the flow that is to run")
    made = actions.add(deck.store, actor, "", given["flow"], **settings)
    notice = f"Schedule {made.id} of {made.flow} was made: {when(made).words.lower()}."
    return Done(notice=notice, to="/schedules", tone="completed")


def _edit(deck: Deck, actor: Actor, number: int, given: Answers) -> Done:
    settings = {"flow": given.get("flow", ""), **schedule_form.read(given)}
    with deck.store.read() as conn:
        old = schedules.get(conn, number)
    # What is left as it was is not sent: new times would forget the ticks that were missed.
    changes = {name: value for name, value in settings.items() if getattr(old, name) != value}
    if changes:
        actions.edit(deck.store, actor, reason(given, required=False), number, changes)
    return Done(notice=f"Schedule {number} is changed.", to="/schedules")


def _form(deck: Deck, name: str, numbers: list[int], given: Answers) -> Form:
    deed = _DEEDS[name]
    with deck.store.read() as conn:
        found = [schedules.get(conn, number) for number in numbers]
    one = f"schedule {numbers[0]} of {found[0].flow}"
    what = one if len(found) == 1 else plural(len(found), "schedule")
    return Form(
        address=f"/schedules/{name}",
        back="/schedules",
        title=f"{deed.verb} {what}{' now' if name == 'run' else ''}?",
        text=deed.text,
        submit=f"{deed.verb} {'it' if len(found) == 1 else what}",
        icon=deed.icon,
        danger=deed.danger,
        targets=[Target(f"{each.id} {each.flow}", when(each).words) for each in found],
        hidden=[("schedule", str(number)) for number in numbers],
        fields=[reason_field(given, required=deed.required)],
        noun="schedules",
    )


def _new_form(deck: Deck, given: Answers) -> Form:
    return _settings_form(
        deck, "/schedules/new", "New schedule", "Make the schedule", "add", given, reason=False
    )


def _edit_form(deck: Deck, number: int, given: Answers) -> Form:
    with deck.store.read() as conn:
        old = schedules.get(conn, number)
    return _settings_form(
        deck,
        f"/schedules/{number}/edit",
        f"Schedule {number} of {old.flow}",
        "Keep the changes",
        "edit",
        given or schedule_form.values_of(old),
        reason=True,
    )


def _settings_form(
    deck: Deck,
    address: str,
    title: str,
    submit: str,
    icon: str,
    given: Answers,
    *,
    reason: bool,
) -> Form:
    with deck.store.read() as conn:
        names = flows.names(conn)
    return Form(
        address=address,
        back="/schedules",
        title=title,
        submit=submit,
        icon=icon,
        fields=schedule_form.fields(given, names, reason=reason),
        preview="/schedules/preview",
        noun="schedules",
    )
