"""What can be done to a pipeline: publish, unpublish, one job at a time or not, remove."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import flows as flow_actions
from jobdeck.actions import pipelines as actions
from jobdeck.domain import clock, numbers
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Flow, Pipeline
from jobdeck.domain.roles import Actor, Role
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import pipelines
from jobdeck.web import deeds, formats
from jobdeck.web.deeds import Deed, Done, Form
from jobdeck.web.fields import Answers, Field, reason, reason_field, refill
from jobdeck.web.render import AnyRequest, AtPages

VERSIONS = 50
"""So many versions are offered for publishing."""

NAMES = ("publish", "unpublish", "sequential", "parallel", "remove")
PATHS = [f"/pipelines/{{name:str}}/{deed}" for deed in NAMES]


def of_pipeline(pipeline: Pipeline, default: Flow | None, actor: Actor) -> list[Deed]:
    """What a pipeline's menu offers in its state; what the actor may not do says why."""
    operator = deeds.why_not(actor, Role.OPERATOR)
    admin = deeds.why_not(actor, Role.ADMIN)
    at = f"/pipelines/{pipeline.name}"
    found = []
    if pipeline.published_version is not None:
        found.append(_deed("run", "Run", "play", operator, f"/flows/{pipeline.name}/run"))
    if pipeline.published_version != pipeline.current_version:
        label = f"Publish version {pipeline.current_version}"
        found.append(_deed("publish", label, "publish", operator, f"{at}/publish"))
    elif pipeline.current_version > 1:
        found.append(_deed("publish", "Publish another", "publish", operator, f"{at}/publish"))
    if pipeline.published_version is not None:
        found.append(_deed("unpublish", "Unpublish", "unpublish", operator, f"{at}/unpublish"))
    if default is not None and default.max_running == 1:
        label = "Run in parallel"
        found.append(_deed("parallel", label, "children", operator, f"{at}/parallel"))
    elif default is not None:
        label = "Run one at a time"
        found.append(_deed("sequential", label, "jobs", operator, f"{at}/sequential"))
    found.append(_deed("add-flow", "Add a flow", "add", operator, f"{at}/add-flow"))
    found.append(_deed("remove", "Remove", "delete", admin, f"{at}/remove", "btn-danger"))
    return found


def _deed(name: str, label: str, icon: str, why_not: str, address: str, css: str = "") -> Deed:
    return Deed(name=name, label=label, icon=icon, why_not=why_not, address=address, css=css)


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
    gone = deed == "remove"

    def act(given: Answers) -> Done:
        notice = _DEEDS[deed].act(deck, actor, name, given)
        return Done(notice=notice, to="/pipelines" if gone else f"/pipelines/{name}", move=gone)

    return await deeds.do(pages, request, partial(_form, deck, deed, name), act)


def _publish(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    version = numbers.read(given.get("version", ""))
    if version is None:
        raise InvalidValue("version", "choose one of the versions")
    why = reason(given, required=False)
    found = actions.publish(deck.store, actor, why, name, version=version)
    return f"Jobs of {name} now run version {found.published_version}."


def _unpublish(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    actions.unpublish(deck.store, actor, reason(given, required=True), name)
    return f"No more jobs of {name} start."


def _sequential(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    flow_actions.edit(deck.store, actor, reason(given, required=False), name, {"max_running": 1})
    return f"Jobs of {name} run one after the other."


def _parallel(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    flow_actions.edit(deck.store, actor, reason(given, required=False), name, {"max_running": None})
    return f"Jobs of {name} run beside each other."


def _remove(deck: Deck, actor: Actor, name: str, given: Answers) -> str:
    actions.remove(deck.store, actor, reason(given, required=True), name)
    return f"Pipeline {name} was removed."


class _Deed(NamedTuple):
    title: str
    text: str
    submit: str
    icon: str
    act: Callable[[Deck, Actor, str, Answers], str]
    danger: bool = False
    required: bool = False


_DEEDS = {
    "publish": _Deed(
        "Publish a version of {}?",
        "Its jobs run this version from now on, those that wait included; what runs goes on as "
        "it is.",
        "Publish",
        "publish",
        _publish,
    ),
    "unpublish": _Deed(
        "Unpublish {}?",
        "No more of its jobs start; what runs goes on, what waits stays pending.",
        "Unpublish",
        "unpublish",
        _unpublish,
        required=True,
    ),
    "sequential": _Deed(
        "Run {} one at a time?",
        "A job of its default flow waits until the one before it has ended. What runs goes on.",
        "Run one at a time",
        "jobs",
        _sequential,
    ),
    "parallel": _Deed(
        "Run {} in parallel?",
        "Jobs of its default flow run beside each other, as many as there are free workers.",
        "Run in parallel",
        "children",
        _parallel,
    ),
    "remove": _Deed(
        "Remove {}?",
        "It goes with its flows and schedules; its jobs remain to be seen. The pool that has "
        "loaded it brings it back when it starts anew.",
        "Remove the pipeline",
        "delete",
        _remove,
        danger=True,
        required=True,
    ),
}


def _form(deck: Deck, deed: str, name: str, given: Answers) -> Form:
    """The form of that deed, with the answers given before.

    Raises:
        NotFound: no such pipeline.
    """
    with deck.store.read() as conn:
        pipeline = pipelines.get(conn, name)
        own = [_versions(deck, pipeline)] if deed == "publish" else []
    told = _DEEDS[deed]
    return Form(
        address=f"/pipelines/{name}/{deed}",
        back=f"/pipelines/{name}",
        title=told.title.format(name),
        text=told.text,
        submit=told.submit,
        icon=told.icon,
        danger=told.danger,
        noun="pipelines",
        fields=[
            *refill(own, given),
            reason_field(given, required=told.required),
        ],
    )


def _versions(deck: Deck, pipeline: Pipeline) -> Field:
    now = clock.now()
    with deck.store.read() as conn:
        known = pipelines.all_versions(conn, pipeline.id, limit=VERSIONS)
    options = []
    for each in known:
        marks = [each.fingerprint, f"taken in {formats.short(each.created_at, now)} UTC"]
        if each.version == pipeline.published_version:
            marks.append("published")
        options.append((str(each.version), f"{each.version} ({', '.join(marks)})"))
    return Field(
        name="version",
        label="Version",
        kind="select",
        value=str(pipeline.current_version),
        options=options,
        required=True,
    )
