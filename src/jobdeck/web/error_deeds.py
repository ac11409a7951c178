"""What can be done to an error group: resolve it, open it again, retry its jobs."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import error_groups as actions
from jobdeck.domain import clock
from jobdeck.domain.bulk import DONE, Bulk
from jobdeck.domain.errors import JobdeckError
from jobdeck.domain.records import ErrorGroup
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import error_groups
from jobdeck.web import deeds
from jobdeck.web.deeds import Form
from jobdeck.web.formats import plural
from jobdeck.web.render import AnyRequest, AtPages, Pages

PATHS = [f"/errors/{{group_id:int}}/{name}" for name in ("resolve", "reopen", "retry")]


@get(PATHS, opt=OPERATOR)
async def ask(
    request: AnyRequest, deck: AtDeck, pages: AtPages, group_id: FromPath[int]
) -> Response[str]:
    """The form of a deed."""
    form = await deck.run(lambda: _form(deck, _named(request), group_id, {}))
    return deeds.show(pages, request, form)


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, group_id: FromPath[int]
) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    name = _named(request)
    given = await deeds.answers(request)
    reason = given.get("reason", "")
    try:
        if name == "retry":
            found = await deck.run(lambda: actions.retry(deck.store, actor, reason, group_id))
            return _retried(pages, request, found, group_id)
        notice = await deck.run(lambda: _do(deck, name, actor, reason, group_id))
    except JobdeckError as error:
        form = await deck.run(lambda: _form(deck, name, group_id, given))
        return deeds.show(pages, request, form, error)
    return deeds.done(pages, request, notice, to=f"/errors/{group_id}")


def _retried(pages: Pages, request: AnyRequest, found: Bulk, group_id: int) -> Response[Any]:
    to = f"/errors/{group_id}"
    if found.job is not None:
        path = f"/jobs/{found.job.id}"
        notice = f"Job {found.job.id} retries them, one after the other."
        return deeds.done(pages, request, notice, to=to, link=path, watch=found.job.id)
    number = sum(item.outcome == DONE for item in found.items)
    return deeds.done(pages, request, f"{plural(number, 'job')} will be tried again.", to=to)


def _named(request: AnyRequest) -> str:
    path: str = request.scope["path"]
    return path.rstrip("/").rpartition("/")[2]


def _do(deck: Deck, name: str, actor: Actor, reason: str, group_id: int) -> str:
    if name == "resolve":
        actions.resolve(deck.store, actor, reason, group_id)
        return f"Error {group_id} is resolved."
    actions.reopen(deck.store, actor, reason, group_id)
    return f"Error {group_id} is open again."


def _form(deck: Deck, name: str, group_id: int, given: dict[str, str]) -> Form:
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
        fields=[deeds.reason_field(given.get("reason", ""), required=False)],
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
    return "Open this error again?", what, "Open again", "errors"


def _named_flows(group: ErrorGroup) -> str:
    names = ", ".join(group.flows[:5])
    more = f" and {plural(len(group.flows) - 5, 'more flow')}" if len(group.flows) > 5 else ""
    stand = "stands" if group.jobs == 1 else "stand"
    return f"{plural(group.jobs, 'job')} of {names}{more} {stand} failed by {group.type}."
