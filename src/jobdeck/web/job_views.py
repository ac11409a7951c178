"""Saving, renaming and deleting the lists of jobs that somebody has given names."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import views as actions
from jobdeck.domain.errors import InvalidValue, JobdeckError, NotFound
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import views
from jobdeck.store.values import is_number
from jobdeck.web import deeds, jobs_query
from jobdeck.web.deeds import Form
from jobdeck.web.jobs_query import JobsQuery
from jobdeck.web.params_form import Field
from jobdeck.web.render import AnyRequest, AtPages

PATH = "/jobs/views/save"
OWN = ["/jobs/views/{view_id:int}/rename", "/jobs/views/{view_id:int}/delete"]


@get(PATH, opt=VIEWER, sync_to_thread=False)
def ask_save(request: AnyRequest, pages: AtPages) -> Response[str]:
    """The form that asks for a name."""
    return deeds.show(pages, request, _save_form(jobs_query.read(request), ""))


@post(PATH, opt=VIEWER, status_code=200)
async def save(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Keep the list of the address under the name."""
    query = jobs_query.read(request)
    given = await deeds.answers(request)
    name = given.get("name", "")
    try:
        await deck.run(lambda: actions.save(deck.store, actor, "", name, query.q, query.sort))
    except JobdeckError as error:
        return deeds.show(pages, request, _save_form(query, name), error)
    return deeds.done(pages, request, f"Saved as {name.strip()}.", to=_to(query), move=True)


def _to(query: JobsQuery) -> str:
    pairs = urlencode(query.replacing())
    return f"/jobs?{pairs}" if pairs else "/jobs"


def _save_form(query: JobsQuery, name: str) -> Form:
    return Form(
        address=f"{PATH}?{urlencode(query.replacing())}",
        back=_to(query),
        title="Save this list",
        text="Its filter and its order are kept for you under a name, in the menu Views.",
        submit="Save",
        icon="add",
        fields=[_name_field(name)],
    )


def _name_field(value: str) -> Field:
    return Field(name="name", label="Name", value=value, required=True, focus=True)


@get(OWN, opt=VIEWER)
async def ask(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, view_id: FromPath[int]
) -> Response[str]:
    """The form that asks for another name, or whether it may go."""
    view = await deck.run(lambda: _get(deck, actor, view_id))
    return deeds.show(pages, request, _form(request, view, view.name))


def _get(deck: Deck, actor: Actor, view_id: int) -> views.View:
    if not is_number(view_id):
        raise NotFound("view", view_id)
    with deck.store.read() as conn:
        return views.get(conn, actor.name, view_id)


@post(OWN, opt=VIEWER, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, view_id: FromPath[int]
) -> Response[Any]:
    """Rename or delete the view."""
    given = await deeds.answers(request)
    name = given.get("name", "")
    renames = _renames(request)
    view = await deck.run(lambda: _get(deck, actor, view_id))
    try:
        if renames:
            await deck.run(lambda: actions.rename(deck.store, actor, "", view_id, name))
        else:
            await deck.run(lambda: actions.delete(deck.store, actor, "", view_id))
    except InvalidValue as error:
        return deeds.show(pages, request, _form(request, view, name), error)
    told = "The view has its new name." if renames else "The view is gone."
    return deeds.done(pages, request, told, to="/jobs", move=True)


def _renames(request: AnyRequest) -> bool:
    return str(request.scope["path"]).endswith("/rename")


def _form(request: AnyRequest, view: views.View, name: str) -> Form:
    renames = _renames(request)
    return Form(
        address=f"/jobs/views/{view.id}/{'rename' if renames else 'delete'}",
        back="/jobs",
        title=f"Rename {view.name}" if renames else f"Delete the view {view.name}?",
        text="" if renames else "The jobs that it shows stay as they are.",
        submit="Rename" if renames else "Delete",
        icon="edit" if renames else "delete",
        danger=not renames,
        fields=[_name_field(name)] if renames else [],
    )
