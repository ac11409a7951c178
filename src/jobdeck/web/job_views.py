"""Saving, renaming and deleting the lists of jobs that somebody has given names."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import views as actions
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import views
from jobdeck.web import deeds, jobs_query
from jobdeck.web.deeds import Done, Form
from jobdeck.web.fields import Answers, Field
from jobdeck.web.jobs_query import JobsQuery
from jobdeck.web.render import AnyRequest, AtPages

PATH = "/jobs/views/save"
OWN = ["/jobs/views/{view_id:int}/rename", "/jobs/views/{view_id:int}/delete"]


@get(PATH, opt=VIEWER)
async def ask_save(request: AnyRequest, pages: AtPages) -> Response[str]:
    """The form that asks for a name."""
    return await deeds.ask(pages, request, partial(_save_form, jobs_query.read(request)))


@post(PATH, opt=VIEWER, status_code=200)
async def save(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Keep the list of the address under the name."""
    query = jobs_query.read(request)

    def act(given: Answers) -> Done:
        name = given.get("name", "")
        actions.save(deck.store, actor, "", name, query.q, query.sort)
        return Done(notice=f"Saved as {name.strip()}.", to=_to(query), move=True)

    return await deeds.do(pages, request, partial(_save_form, query), act)


def _to(query: JobsQuery) -> str:
    pairs = urlencode(query.replacing())
    return f"/jobs?{pairs}" if pairs else "/jobs"


def _save_form(query: JobsQuery, given: Answers) -> Form:
    return Form(
        address=f"{PATH}?{urlencode(query.replacing())}",
        back=_to(query),
        title="Save this list",
        text="Its filter and its order are kept for you under a name, in the menu Views.",
        submit="Save",
        icon="add",
        fields=[_name_field(given.get("name", ""))],
    )


def _name_field(value: str) -> Field:
    return Field(name="name", label="Name", value=value, required=True)


@get(OWN, opt=VIEWER)
async def ask(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, view_id: FromPath[int]
) -> Response[str]:
    """The form that asks for another name, or whether it may go."""
    form = partial(_form, deck, deeds.named(request), actor, view_id)
    return await deeds.ask(pages, request, form)


@post(OWN, opt=VIEWER, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, view_id: FromPath[int]
) -> Response[Any]:
    """Rename or delete the view."""
    deed = deeds.named(request)

    def act(given: Answers) -> Done:
        if deed == "rename":
            actions.rename(deck.store, actor, "", view_id, given.get("name", ""))
            return Done(notice="The view has its new name.", to="/jobs", move=True)
        actions.delete(deck.store, actor, "", view_id)
        return Done(notice="The view is gone.", to="/jobs", move=True)

    return await deeds.do(pages, request, partial(_form, deck, deed, actor, view_id), act)


def _form(deck: Deck, deed: str, actor: Actor, view_id: int, given: Answers) -> Form:
    with deck.store.read() as conn:
        view = views.get(conn, actor.name, view_id)
    renames = deed == "rename"
    return Form(
        address=f"/jobs/views/{view.id}/{deed}",
        back="/jobs",
        title=f"Rename {view.name}" if renames else f"Delete the view {view.name}?",
        text="" if renames else "The jobs that it shows stay as they are.",
        submit="Rename" if renames else "Delete",
        icon="edit" if renames else "delete",
        danger=not renames,
        fields=[_name_field(given.get("name", view.name))] if renames else [],
    )
