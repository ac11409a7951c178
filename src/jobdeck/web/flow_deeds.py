"""What can be done to a flow: run, edit, add, remove."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import flows as actions
from jobdeck.actions import items as item_actions
from jobdeck.actions import jobs as job_actions
from jobdeck.domain import clock
from jobdeck.domain.errors import JobdeckError
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow, Job
from jobdeck.domain.roles import Actor, Role
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import flows, pipelines, queues
from jobdeck.web import deeds, flow_form, formats, params_form
from jobdeck.web.deeds import Deed, Form
from jobdeck.web.flow_form import Answers
from jobdeck.web.params_form import Field
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
    form = await deck.run(lambda: _form(deck, _named(request), name, {}))
    return deeds.show(pages, request, form)


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    deed = _named(request)
    given = await deeds.answers(request)
    try:
        if deed == "run":
            job = await deck.run(lambda: _run(deck, actor, name, given))
            notice = f"Job {job.id} of {name} was created."
            return deeds.done(pages, request, notice, to=f"/jobs/{job.id}", move=True, watch=job.id)
        if deed == "edit":
            await deck.run(lambda: _edit(deck, actor, name, given))
            return deeds.done(pages, request, f"Flow {name} was changed.", to=f"/flows/{name}")
        if deed == "forget":
            gone = await deck.run(lambda: _forget(deck, actor, name, given))
            return deeds.done(pages, request, f"{gone} forgotten.", to=f"/flows/{name}")
        pipeline = await deck.run(lambda: _remove(deck, actor, name, given))
    except JobdeckError as error:
        form = await deck.run(lambda: _form(deck, deed, name, given))
        return deeds.show(pages, request, form, error)
    notice = f"Flow {name} was removed."
    return deeds.done(pages, request, notice, to=f"/pipelines/{pipeline}", move=True)


@post(CHECKS, opt=OPERATOR, status_code=200)
async def check(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[str]:
    """Whether the form could be sent as it stands."""
    deed = request.scope["path"].rstrip("/").split("/")[-2]
    given = await deeds.answers(request)
    form = await deck.run(lambda: _form(deck, deed, name, given))
    error = None
    try:
        await deck.run(lambda: _rehearse(deck, actor, deed, name, given))
    except JobdeckError as wrong:
        error = wrong
    return deeds.checked(pages, request, form, error)


@get(ADD, opt=OPERATOR)
async def ask_add(
    request: AnyRequest, deck: AtDeck, pages: AtPages, name: FromPath[str]
) -> Response[str]:
    """The form of a new flow."""
    form = await deck.run(lambda: _add_form(deck, name, {}))
    return deeds.show(pages, request, form)


@post(ADD, opt=OPERATOR, status_code=200)
async def add(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[Any]:
    """Make it, or show the form again with what is wrong."""
    given = await deeds.answers(request)
    try:
        flow = await deck.run(lambda: _add(deck, actor, name, given))
    except JobdeckError as error:
        form = await deck.run(lambda: _add_form(deck, name, given))
        return deeds.show(pages, request, form, error)
    notice = f"Flow {flow.name} was added."
    return deeds.done(pages, request, notice, to=f"/flows/{flow.name}", move=True)


@post(f"{ADD}/check", opt=OPERATOR, status_code=200)
async def check_add(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, name: FromPath[str]
) -> Response[str]:
    """Whether it could be made as the form stands."""
    given = await deeds.answers(request)
    form = await deck.run(lambda: _add_form(deck, name, given))
    error = None
    try:
        await deck.run(lambda: _rehearse_add(deck, actor, name, given))
    except JobdeckError as wrong:
        error = wrong
    return deeds.checked(pages, request, form, error)


def _named(request: AnyRequest) -> str:
    path: str = request.scope["path"]
    return path.rstrip("/").rpartition("/")[2]


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
        priority=flow_form.whole(given, "priority"),
        run_at=clock.from_iso(run_at, "run_at") if run_at else None,
    )


def _run(deck: Deck, actor: Actor, name: str, given: Answers) -> Job:
    return job_actions.create(deck.store, actor, "", _item(deck, name, given))


def _changes(deck: Deck, name: str, given: Answers) -> dict[str, Any]:
    flow, manifest = _known(deck, name)
    asked = flow_form.read(manifest, given)
    asked["queue"] = asked["queue"] or flow.queue
    if asked["priority"] is None:
        asked["priority"] = manifest.priority
    return {field: value for field, value in asked.items() if value != getattr(flow, field)}


def _edit(deck: Deck, actor: Actor, name: str, given: Answers) -> None:
    changes = _changes(deck, name, given)
    if changes:
        actions.edit(deck.store, actor, given.get("reason", ""), name, changes)


def _remove(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    with deck.store.read() as conn:
        pipeline = flows.get(conn, name).pipeline
    actions.remove(deck.store, actor, deeds.check_reason(given), name)
    return pipeline


def _forget(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    gone = item_actions.forget(deck.store, actor, deeds.check_reason(given), name)
    return formats.plural(gone, "item")


def _settings(deck: Deck, pipeline: str, given: Answers) -> dict[str, Any]:
    with deck.store.read() as conn:
        manifest = pipelines.get(conn, pipeline).manifest
    return {"pipeline": pipeline, **flow_form.read(manifest, given)}


def _add(deck: Deck, actor: Actor, pipeline: str, given: Answers) -> Flow:
    settings = _settings(deck, pipeline, given)
    name = given.get("name", "").strip()
    return actions.add(deck.store, actor, given.get("reason", ""), name, **settings)


def _rehearse(deck: Deck, actor: Actor, deed: str, name: str, given: Answers) -> None:
    if deed == "run":
        job_actions.create.rehearse(deck.store, actor, _item(deck, name, given))
    else:
        actions.edit.rehearse(deck.store, actor, name, _changes(deck, name, given))


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
    own: list[Field] = []
    if deed == "run":
        own = flow_form.run_fields(manifest, flow)
    elif deed == "edit":
        own = flow_form.fields(manifest, flow, *_names(deck))
    if given:
        own = [deeds.refill(field, given) for field in own]
    if deed != "run":
        own.append(
            deeds.reason_field(given.get("reason", ""), required=deed in ("remove", "forget"))
        )
    if deed == "edit":
        own[-1].focus = False
    return Form(
        address=f"/flows/{name}/{deed}",
        back=f"/flows/{name}",
        title=title,
        text=text,
        submit=submit,
        icon=icon,
        danger=deed in ("remove", "forget"),
        check="" if deed in ("remove", "forget") else f"/flows/{name}/{deed}/check",
        noun="pipelines",
        fields=own,
    )


def _names(deck: Deck) -> tuple[list[str], list[str]]:
    """The queues and flows that there are, to choose from."""
    with deck.store.read() as conn:
        return sorted(queues.ids(conn)), [flow.name for flow in flows.all(conn)]


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
            focus=True,
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
        fields=[deeds.refill(field, given) for field in own] if given else own,
    )
