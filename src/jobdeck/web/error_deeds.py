"""What can be done to an error group: resolve it, open it again, mute it, retry its jobs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import error_groups as actions
from jobdeck.domain import clock
from jobdeck.domain.bulk import DONE
from jobdeck.domain.records import ErrorGroup
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import error_groups
from jobdeck.store.database import Store
from jobdeck.web import deeds
from jobdeck.web.deeds import Done, Form
from jobdeck.web.fields import Answers, reason, reason_field
from jobdeck.web.formats import plural
from jobdeck.web.render import AnyRequest, AtPages


def _change(
    act: Callable[[Store, Actor, str, int], ErrorGroup],
    state: str,
    deck: Deck,
    actor: Actor,
    group_id: int,
    given: Answers,
) -> Done:
    act(deck.store, actor, reason(given, required=act is actions.mute), group_id)
    return Done(notice=f"Error {group_id} is {state}.", to=f"/errors/{group_id}")


def _retry(deck: Deck, actor: Actor, group_id: int, given: Answers) -> Done:
    found = actions.retry(deck.store, actor, reason(given, required=False), group_id)
    to = f"/errors/{group_id}"
    if found.job is not None:
        notice = f"Job {found.job.id} retries them, one after the other."
        return Done(notice=notice, to=to, link=f"/jobs/{found.job.id}", watch=found.job.id)
    number = sum(item.outcome == DONE for item in found.items)
    return Done(notice=f"{plural(number, 'job')} will be tried again.", to=to)


_DEEDS: dict[str, Callable[[Deck, Actor, int, Answers], Done]] = {
    "resolve": partial(_change, actions.resolve, "resolved"),
    "reopen": partial(_change, actions.reopen, "open again"),
    "mute": partial(_change, actions.mute, "muted"),
    "unmute": partial(_change, actions.unmute, "no longer muted"),
    "retry": _retry,
}
PATHS = [f"/errors/{{group_id:int}}/{name}" for name in _DEEDS]


@get(PATHS, opt=OPERATOR)
async def ask(
    request: AnyRequest, deck: AtDeck, pages: AtPages, group_id: FromPath[int]
) -> Response[str]:
    """The form of a deed."""
    return await deeds.ask(pages, request, partial(_form, deck, deeds.named(request), group_id))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, group_id: FromPath[int]
) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    name = deeds.named(request)
    form = partial(_form, deck, name, group_id)
    return await deeds.do(pages, request, form, partial(_DEEDS[name], deck, actor, group_id))


def _form(deck: Deck, name: str, group_id: int, given: Answers) -> Form:
    """The form of that deed for that group.

    Raises:
        NotFound: no such group.
    """
    with deck.store.read() as conn:
        group = error_groups.get(conn, group_id, clock.now())
    title, text, submit, icon = _words(name, group)
    return Form(
        address=f"/errors/{group_id}/{name}",
        back=f"/errors/{group_id}",
        title=title,
        text=text,
        submit=submit,
        icon=icon,
        fields=[reason_field(given, required=name == "mute")],
    )


def _words(name: str, group: ErrorGroup) -> tuple[str, str, str, str]:
    """Title, text, button and icon of a deed."""
    what = f"{group.type}, {group.place}."
    if name == "retry":
        jobs = plural(group.jobs, "job")
        how = "Each becomes pending again, for one more attempt from the step that failed."
        return f"Retry {jobs}?", f"{_named_flows(group)} {how}", f"Retry {jobs}", "retry"
    if name == "resolve":
        how = "It is opened again by itself when it happens again. Its jobs stay as they are."
        return "Mark this error resolved?", f"{what} {how}", "Mark resolved", "calm"
    if name == "mute":
        how = (
            "It goes on counting, but stands no longer among the open errors, nor its jobs among "
            "what needs attention, until somebody unmutes it."
        )
        return "Mute this error?", f"{what} {how}", "Mute", "bell-off"
    if name == "unmute":
        return "Unmute this error?", f"{what} It is among the open errors again.", "Unmute", "bell"
    return "Open this error again?", what, "Open again", "errors"


def _named_flows(group: ErrorGroup) -> str:
    names = ", ".join(group.flows[:5])
    more = f" and {plural(len(group.flows) - 5, 'more flow')}" if len(group.flows) > 5 else ""
    stand = "stands" if group.jobs == 1 else "stand"
    return f"{plural(group.jobs, 'job')} of {names}{more} {stand} failed by {group.type}."
