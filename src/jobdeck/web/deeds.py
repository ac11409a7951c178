"""What can be done from a page: a form in a dialog, or on a page of its own without script."""

import json
from typing import Any, Final
from urllib.parse import quote

from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, JobdeckError
from jobdeck.domain.roles import Actor, Role
from jobdeck.http import problems
from jobdeck.web.params_form import Field
from jobdeck.web.render import AnyRequest, Pages, is_part

REASON_HINT: Final = "It stands in the audit, beside your name."


class Deed(Struct, frozen=True, kw_only=True):
    """A button. `why_not` says why it cannot act; empty: it can."""

    name: str
    label: str
    icon: str
    css: str = ""
    why_not: str = ""


class Form(Struct, frozen=True, kw_only=True):
    """What is asked before something is done. `address` takes the answer, `back` is the page
    that it was opened from; both are paths of the deck."""

    address: str
    back: str
    title: str
    submit: str
    icon: str
    text: str = ""
    danger: bool = False
    fields: list[Field] = []


class Wrong(Struct, frozen=True):
    """Why an answer was refused, and the name of the field that it is about."""

    text: str
    field: str = ""


def reason_field(value: str = "", *, required: bool) -> Field:
    """Asks why."""
    return Field(
        name="reason",
        label="Reason",
        value=value,
        hint=REASON_HINT,
        required=required,
        focus=True,
    )


def why_not(actor: Actor, role: Role) -> str:
    """Why somebody with that role may not; empty if they may."""
    return "" if actor.role >= role else f"That takes the role {role.name.lower()}."


async def answers(request: AnyRequest) -> dict[str, str]:
    """What a form says; of a repeated field, the last."""
    form = await request.form()
    return {str(name): str(value) for name, value in form.multi_items()}


def check_reason(given: dict[str, str]) -> str:
    """The reason, which a destructive deed must have.

    Raises:
        InvalidValue: there is none.
    """
    reason = given.get("reason", "").strip()
    if not reason:
        raise InvalidValue("reason", "say why, in a few words")
    return reason


def show(
    pages: Pages,
    request: AnyRequest,
    form: Form,
    error: JobdeckError | None = None,
) -> Response[str]:
    """The form, with what was wrong with the last answer."""
    return pages.page(
        request,
        "deed.html" if is_part(request) else "deed_page.html",
        status_code=problems.describe(error).status if error else 200,
        noun="jobs",
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


def done(
    pages: Pages,
    request: AnyRequest,
    notice: str,
    *,
    to: str,
    tone: str = "",
    move: bool = False,
) -> Response[Any]:
    """Says that it is done. The page stays where it is, or goes `to` a path if `move` is set;
    without script it always goes there."""
    address = pages.url(to)
    if not is_part(request):
        return _redirect(pages, notice, 303, {"Location": address})
    if move:
        return _redirect(pages, notice, 200, {"HX-Redirect": address})
    told = {"jobdeck:done": {"notice": notice, "tone": tone}}
    return Response(None, status_code=204, headers={"HX-Trigger": json.dumps(told)})


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
