"""What can be done to a flow: run, edit, add, remove."""

from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import flows as actions
from jobdeck.actions import items as item_actions
from jobdeck.actions import jobs as job_actions
from jobdeck.domain import clock
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow
from jobdeck.domain.roles import Actor, Role
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import flows, pipelines, queues
from jobdeck.web import deeds, flow_form, formats, params_form
from jobdeck.web.deeds import Deed, Done, Form
from jobdeck.web.fields import Answers, Field, reason, reason_field, refill, whole
from jobdeck.web.render import AnyRequest, AtPages

NAMES = ("run", "edit", "remove", "forget")
PATHS = [f"/flows/{{name:str}}/{deed}" for deed in NAMES]
CHECKS = [f"/flows/{{name:str}}/{deed}/check" for deed in ("run", "edit")]
ADD = "/pipelines/{name:str}/add-flow"


def of_flow(flow: Flow, published: bool, actor: Actor) -> list[Deed]:
    """The buttons of a flow; those that cannot act say why."""
    role = deeds.why_not(actor, Role.OPERATOR)
    unpublished = "" if published else "Its pipeline is not published."
    default = "It goes with its pipeline." if flow.name == flow.pipeline else ""
    return [
        Deed(name="run", label="Run", icon="play", css="btn-primary", why_not=role or unpublished),
        Deed(name="edit", label="Edit", icon="edit", why_not=role),
        Deed(
            name="remove",
            label="Remove",
            icon="delete",
            css="btn-danger",
            why_not=role or default,
        ),
    ]


@get(PATHS, opt=OPERATOR)
async def ask(
    request: AnyRequest, deck: AtDeck, pages: AtPages, name: FromPath[str]
) -> Response[str]:
    """The form of a deed."""
    return await deeds.ask(pages, request, partial(_form, deck, deeds.named(request), name))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    deed = deeds.named(request)
    act = {"run": _run, "edit": _edit, "remove": _remove, "forget": _forget}[deed]
    form = partial(_form, deck, deed, name)
    return await deeds.do(pages, request, form, partial(act, deck, actor, name))


@post(CHECKS, opt=OPERATOR, status_code=200)
async def check(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[str]:
    """Whether the form could be sent as it stands."""
    deed = deeds.named(request)
    rehearse = _rehearse_run if deed == "run" else _rehearse_edit
    form = partial(_form, deck, deed, name)
    return await deeds.check(pages, request, form, partial(rehearse, deck, actor, name))


@get(ADD, opt=OPERATOR)
async def ask_add(
    request: AnyRequest, deck: AtDeck, pages: AtPages, name: FromPath[str]
) -> Response[str]:
    """The form of a new flow."""
    return await deeds.ask(pages, request, partial(_add_form, deck, name))


@post(ADD, opt=OPERATOR, status_code=200)
async def add(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[Any]:
    """Make it, or show the form again with what is wrong."""
    form = partial(_add_form, deck, name)
    return await deeds.do(pages, request, form, partial(_add, deck, actor, name))


@post(f"{ADD}/check", opt=OPERATOR, status_code=200)
async def check_add(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[str]:
    """Whether it could be made as the form stands."""
    form = partial(_add_form, deck, name)
    return await deeds.check(pages, request, form, partial(_rehearse_add, deck, actor, name))


def _known(deck: Deck, name: str) -> tuple[Flow, PipelineManifest]:
    """The flow, and the definition of its pipeline that counts for it."""
    with deck.store.read() as conn:
        flow = flows.get(conn, name)
        pipeline = pipelines.get(conn, flow.pipeline)
        if pipeline.published_version is None:
            return flow, pipeline.manifest
        return flow, pipelines.manifest(conn, pipeline.id, pipeline.published_version)


def _item(deck: Deck, name: str, given: Answers) -> EnqueueItem:
    _, manifest = _known(deck, name)
    run_at = given.get("run_at", "").strip()
    return EnqueueItem(
        flow=name,
        params=params_form.read(manifest.params_schema, given),
        context=given.get("context", "").strip() or None,
        priority=whole(given, "priority"),
        run_at=clock.from_iso(run_at, "run_at") if run_at else None,
    )


def _run(deck: Deck, actor: Actor, name: str, given: Answers) -> Done:
    job = job_actions.create(deck.store, actor, "", _item(deck, name, given))
    notice = f"Job {job.id} of {name} was created."
    return Done(notice=notice, to=f"/jobs/{job.id}", move=True, watch=job.id)


def _rehearse_run(deck: Deck, actor: Actor, name: str, given: Answers) -> None:
    job_actions.create.rehearse(deck.store, actor, _item(deck, name, given))


def _changes(deck: Deck, name: str, given: Answers) -> dict[str, Any]:
    flow, manifest = _known(deck, name)
    asked = flow_form.read(manifest, given)
    asked["queue"] = asked["queue"] or flow.queue
    if asked["priority"] is None:
        asked["priority"] = manifest.priority
    return {field: value for field, value in asked.items() if value != getattr(flow, field)}


def _edit(deck: Deck, actor: Actor, name: str, given: Answers) -> Done:
    changes = _changes(deck, name, given)
    if changes:
        actions.edit(deck.store, actor, reason(given, required=False), name, changes)
    return Done(notice=f"Flow {name} was changed.", to=f"/flows/{name}")


def _rehearse_edit(deck: Deck, actor: Actor, name: str, given: Answers) -> None:
    actions.edit.rehearse(deck.store, actor, name, _changes(deck, name, given))


def _remove(deck: Deck, actor: Actor, name: str, given: Answers) -> Done:
    with deck.store.read() as conn:
        pipeline = flows.get(conn, name).pipeline
    actions.remove(deck.store, actor, reason(given, required=True), name)
    return Done(notice=f"Flow {name} was removed.", to=f"/pipelines/{pipeline}", move=True)


def _forget(deck: Deck, actor: Actor, name: str, given: Answers) -> Done:
    gone = item_actions.forget(deck.store, actor, reason(given, required=True), name)
    return Done(notice=f"{formats.plural(gone, 'item')} forgotten.", to=f"/flows/{name}")


def _settings(deck: Deck, pipeline: str, given: Answers) -> dict[str, Any]:
    with deck.store.read() as conn:
        manifest = pipelines.get(conn, pipeline).manifest
    return {"pipeline": pipeline, **flow_form.read(manifest, given)}


def _add(deck: Deck, actor: Actor, pipeline: str, given: Answers) -> Done:
    settings = _settings(deck, pipeline, given)
    name, why = given.get("name", "").strip(), reason(given, required=False)
    flow = actions.add(deck.store, actor, why, name, **settings)
    return Done(notice=f"Flow {flow.name} was added.", to=f"/flows/{flow.name}", move=True)


def _rehearse_add(deck: Deck, actor: Actor, pipeline: str, given: Answers) -> None:
    settings = _settings(deck, pipeline, given)
    actions.add.rehearse(deck.store, actor, given.get("name", "").strip(), **settings)


_RUN_TEXT = "A job is created with these parameters; what the flow says is filled in."
_EDIT_TEXT = "Jobs that wait keep their queue, priority and parameters; limits hold for them, too."
_REMOVE_TEXT = (
    "It goes with its schedules and its place before and after other flows; its jobs remain to be "
    "seen."
)
_FORGET_TEXT = "Its next run takes everything that its source gives, also what it has taken before."
_ADD_TEXT = "A configured instance of the pipeline, with parameters, limits and runs of its own."


def _form(deck: Deck, deed: str, name: str, given: Answers) -> Form:
    """The form of that deed, with the answers given before.

    Raises:
        NotFound: no such flow.
    """
    flow, manifest = _known(deck, name)
    title, text, submit, icon = {
        "run": (f"Run {name}", _RUN_TEXT, "Run", "play"),
        "edit": (f"Edit flow {name}", _EDIT_TEXT, "Save", "edit"),
        "remove": (f"Remove flow {name}?", _REMOVE_TEXT, "Remove the flow", "delete"),
        "forget": (f"Forget the items of {name}?", _FORGET_TEXT, "Forget them", "again"),
    }[deed]
    danger = deed in ("remove", "forget")
    own: list[Field] = []
    if deed == "run":
        own = flow_form.run_fields(manifest, flow)
    elif deed == "edit":
        own = flow_form.fields(manifest, flow, *_names(deck))
    own = refill(own, given)
    if deed != "run":
        own.append(reason_field(given, required=danger))
    return Form(
        address=f"/flows/{name}/{deed}",
        back=f"/flows/{name}",
        title=title,
        text=text,
        submit=submit,
        icon=icon,
        danger=danger,
        check="" if danger else f"/flows/{name}/{deed}/check",
        noun="pipelines",
        fields=own,
    )


def _names(deck: Deck) -> tuple[list[str], list[str]]:
    """The queues and flows that there are, to choose from."""
    with deck.store.read() as conn:
        return sorted(queues.ids(conn)), flows.names(conn)


def _add_form(deck: Deck, pipeline: str, given: Answers) -> Form:
    """The form of a new flow of the pipeline, with the answers given before.

    Raises:
        NotFound: no such pipeline.
    """
    with deck.store.read() as conn:
        manifest = pipelines.get(conn, pipeline).manifest
    own = [
        Field(
            name="name",
            label="Name",
            hint="Letters, digits, '_', '-' and '.', at most 100.",
            required=True,
        ),
        *flow_form.fields(manifest, None, *_names(deck)),
    ]
    return Form(
        address=f"/pipelines/{pipeline}/add-flow",
        back=f"/pipelines/{pipeline}",
        title=f"Add a flow of {pipeline}",
        text=_ADD_TEXT,
        submit="Add the flow",
        icon="add",
        check=f"/pipelines/{pipeline}/add-flow/check",
        noun="pipelines",
        fields=refill(own, given),
    )
