"""What can be done from a page: a form in a dialog, or on a page of its own without script."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, JobdeckError, NotFound
from jobdeck.domain.numbers import read
from jobdeck.domain.roles import Actor, Role
from jobdeck.http import problems
from jobdeck.web import formats, watching
from jobdeck.web.fields import Answers, Field
from jobdeck.web.render import AnyRequest, Pages, is_part

T = TypeVar("T")

NOTICED: Final = 6
"""So many outcomes fit into a notice."""


class Deed(Struct, frozen=True, kw_only=True):
    """A button or the entry of a menu. `why_not` says why it cannot act; empty: it can. `address`
    is the path of its form, where that does not follow from the name."""

    name: str
    label: str
    icon: str
    css: str = ""
    why_not: str = ""
    address: str = ""


class Target(Struct, frozen=True):
    """Something that a deed is about, and what is to be known of it: how many jobs it holds."""

    name: str
    text: str = ""


class Outcome(Struct, frozen=True):
    """What a deed came to for one target; `job` is the one that it made."""

    name: str
    text: str
    failed: bool = False
    job: int | None = None


class Done(Struct, frozen=True, kw_only=True):
    """A deed is done. The page stays where it is, or goes `to` a path if `move` is set; without
    script it always goes there. This browser is told when the job `watch` has ended; the notice
    leads to the path `link`."""

    notice: str
    to: str
    tone: str = ""
    move: bool = False
    watch: int | None = None
    link: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """What became of each target: told in a notice, or in the dialog if anything failed."""

    outcomes: list[Outcome]
    to: str
    noun: str
    title: str = ""


class Form(Struct, frozen=True, kw_only=True):
    """What is asked before something is done. `address` takes the answer, `back` is the page
    that it was opened from; both are paths of the deck. `hidden` goes with the answer; `preview`
    is the path that shows, as somebody types, what the answer would come to, and `check` the one
    that says what is wrong with it."""

    address: str
    back: str
    title: str
    submit: str
    icon: str
    text: str = ""
    danger: bool = False
    fields: list[Field] = []
    targets: list[Target] = []
    hidden: list[tuple[str, str]] = []
    preview: str = ""
    check: str = ""
    noun: str = "jobs"


class Wrong(Struct, frozen=True):
    """Why an answer was refused, and the name of the field that it is about."""

    text: str
    field: str = ""


def why_not(actor: Actor, role: Role) -> str:
    """Why somebody with that role may not; empty if they may."""
    return "" if actor.role >= role else f"That takes the role {role.name.lower()}."


async def chosen(request: AnyRequest, name: str) -> list[str]:
    """The targets that were selected, each once: as the address says, or the form.

    Raises:
        InvalidValue: there is none.
    """
    values: list[Any] = request.query_params.getall(name, [])
    if request.method == "POST":
        values = (await request.form()).getall(name, [])
    found = list(dict.fromkeys(str(value) for value in values if str(value)))
    if not found:
        raise InvalidValue(name, "select at least one in the list, then choose what to do")
    return found


def numbers(texts: Sequence[str], kind: str) -> list[int]:
    """The selected ones as numbers.

    Raises:
        NotFound: one is no number.
    """
    found = []
    for text in texts:
        number = read(text)
        if number is None:
            raise NotFound(kind, text)
        found.append(number)
    return found


def each(
    targets: Iterable[T], act: Callable[[T], str | tuple[str, int]], label: Callable[[T], str]
) -> list[Outcome]:
    """Do it to one after the other; what fails for one does not keep the others from it. `act`
    says what it came to, and perhaps which job it made."""
    outcomes = []
    for target in targets:
        try:
            told = act(target)
        except JobdeckError as error:
            outcomes.append(Outcome(label(target), str(error), failed=True))
            continue
        text, job = told if isinstance(told, tuple) else (told, None)
        outcomes.append(Outcome(label(target), text, job=job))
    return outcomes


async def answers(request: AnyRequest) -> Answers:
    """What a form says; of a repeated field, the last."""
    form = await request.form()
    return {str(name): str(value) for name, value in form.multi_items()}


def named(request: AnyRequest) -> str:
    """The deed that the address names at its end."""
    path: str = request.scope["path"]
    return path.rstrip("/").removesuffix("/check").rpartition("/")[2]


async def ask(
    pages: Pages, request: AnyRequest, form: Callable[[Answers], Form], given: Answers | None = None
) -> Response[str]:
    """The form of a deed, perhaps with some of it filled in."""
    return show(pages, request, await pages.deck.run(lambda: form(given or {})))


async def do(
    pages: Pages,
    request: AnyRequest,
    form: Callable[[Answers], Form],
    act: Callable[[Answers], Done | Report],
) -> Response[Any]:
    """Do what the form asked for, and say what came of it; or show the form again with what is
    wrong."""
    given = await answers(request)
    try:
        told = await pages.deck.run(lambda: act(given))
    except JobdeckError as error:
        return show(pages, request, await pages.deck.run(lambda: form(given)), error)
    return _report(pages, request, told) if isinstance(told, Report) else done(pages, request, told)


async def check(
    pages: Pages,
    request: AnyRequest,
    form: Callable[[Answers], Form],
    rehearse: Callable[[Answers], None],
) -> Response[str]:
    """What is wrong with the form as it stands, put beside the field that it is about."""
    given = await answers(request)
    shown = await pages.deck.run(lambda: form(given))
    wrong = None
    try:
        await pages.deck.run(lambda: rehearse(given))
    except JobdeckError as error:
        wrong = _wrong(error, shown)
    return pages.page(request, "deed_check.html", form=shown, error=wrong)


def show(
    pages: Pages, request: AnyRequest, form: Form, error: JobdeckError | None = None
) -> Response[str]:
    """The form, with what was wrong with the last answer."""
    return pages.page(
        request,
        "deed.html" if is_part(request) else "deed_page.html",
        status_code=problems.describe(error).status if error else 200,
        noun=form.noun,
        now=clock.now(),
        form=form,
        error=_wrong(error, form) if error else None,
    )


def _wrong(error: JobdeckError, form: Form) -> Wrong:
    if isinstance(error, InvalidValue):
        text = str(error).removeprefix(f"{error.field}: ")
        for field in form.fields:
            if error.field == field.name or error.field.startswith(f"{field.name}."):
                inside = error.field.removeprefix(field.name).removeprefix(".")
                return Wrong(f"{inside}: {text}" if inside else text, field.name)
    return Wrong(str(error))


def done(pages: Pages, request: AnyRequest, told: Done) -> Response[Any]:
    """Says that it is done."""
    address = pages.url(told.to)
    if not is_part(request):
        response = _redirect(pages, told.notice, 303, {"Location": address})
    elif told.move:
        response = _redirect(pages, told.notice, 200, {"HX-Redirect": address})
    else:
        detail = {
            "notice": told.notice,
            "tone": told.tone,
            "address": pages.url(told.link) if told.link else "",
            "watch": told.watch,
        }
        trigger = json.dumps({"jobdeck:acted": None, "jobdeck:done": detail})
        response = Response(None, status_code=204, headers={"HX-Trigger": trigger})
    if told.watch is not None:
        watching.add(pages, request, response, told.watch)
    return response


def _report(pages: Pages, request: AnyRequest, told: Report) -> Response[Any]:
    outcomes = told.outcomes
    failed = sum(outcome.failed for outcome in outcomes)
    if not failed:
        shown = [f"{o.name}: {o.text}" for o in outcomes[:NOTICED]]
        if len(outcomes) > NOTICED:
            shown.append(f"and {formats.number(len(outcomes) - NOTICED)} more")
        text = ". ".join(shown).rstrip(".") + "."
        job = outcomes[0].job if len(outcomes) == 1 else None
        link = "" if job is None else f"/jobs/{job}"
        made = Done(notice=text, to=told.to, tone="completed", link=link, watch=job)
        return done(pages, request, made)
    count = f"{formats.number(failed)} of {formats.number(len(outcomes))} failed"
    response = pages.page(
        request,
        "outcomes.html" if is_part(request) else "outcomes_page.html",
        noun=told.noun,
        now=clock.now(),
        back=told.to,
        title=told.title or count,
        outcomes=outcomes,
    )
    response.headers["HX-Trigger"] = "jobdeck:acted"
    return response


def _redirect(
    pages: Pages, notice: str, status_code: int, headers: dict[str, str]
) -> Response[Any]:
    cookie = Cookie(
        key=pages.notice_cookie,
        value=quote(notice),
        path=pages.deck.base_path or "/",
        max_age=60,
        httponly=True,
        samesite="lax",
    )
    return Response(
        "", status_code=status_code, headers=headers, cookies=[cookie], media_type=MediaType.HTML
    )
