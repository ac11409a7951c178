"""What is shown where a page cannot be: what is wrong, and the next step."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import structlog
from litestar import Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from jobdeck.client.problems import Problem
from jobdeck.domain import clock
from jobdeck.domain.errors import JobdeckError, NotFound
from jobdeck.http import problems
from jobdeck.web.render import AnyRequest, Pages, is_part

_log = structlog.get_logger("jobdeck.web")


class Shown(Struct, frozen=True, kw_only=True):
    """A problem as a page tells it; `steps` are addresses with their words, the best first."""

    title: str
    text: str
    icon: str
    tone: str
    steps: list[tuple[str, str]]


def handler(pages: Pages) -> Callable[[AnyRequest, Exception], Response[Any]]:
    """What answers a page's request that failed."""

    def answer(request: AnyRequest, error: Exception) -> Response[Any]:
        problem = problems.describe(error)
        wants_page = "text/html" in request.headers.get("accept", "") or is_part(request)
        if not wants_page or request.scope["path"].startswith(pages.url("/api/")):
            return problems.answer(request, error)
        if problem.status == 401:
            return _to_sign_in(pages, request)
        if problem.status >= 500:
            unexpected = None if isinstance(error, JobdeckError) else error
            _log.error(
                "page failed", path=request.scope["path"], error=str(error), exc_info=unexpected
            )
        shown = describe(pages, error, problem)
        if is_part(request):
            body = pages.html("error_part.html", problem=shown)
            return Response(body, status_code=problem.status, media_type="text/html")
        plain = request.scope.get("auth") is None or problem.status >= 500
        return pages.page(
            request,
            "error_plain.html" if plain else "error.html",
            status_code=problem.status,
            noun="",
            now=clock.now(),
            problem=shown,
        )

    return answer


def _to_sign_in(pages: Pages, request: AnyRequest) -> Response[Any]:
    if is_part(request):
        if request.method == "GET":
            return Response("", status_code=401, headers={"HX-Refresh": "true"})
        seen = urlsplit(request.headers.get("hx-current-url", ""))
        given = {"next": urlunsplit(("", "", seen.path, seen.query, "")), "ended": "1"}
        address = f"{pages.url('/sign-in')}?{urlencode(given)}"
        return Response("", status_code=401, headers={"HX-Redirect": address})
    path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
    target = f"{path}?{query}" if query else path
    home = target in (pages.url("/"), pages.deck.base_path)
    address = pages.url("/sign-in")
    if request.method == "GET" and not home:
        address += f"?{urlencode({'next': target})}"
    return Response("", status_code=303, headers={"Location": address})


def describe(pages: Pages, error: Exception, problem: Problem) -> Shown:
    """The problem for people."""
    home = (pages.url("/"), "Overview")
    listed = (pages.url("/jobs"), "All jobs")
    again = ("", "Try again")
    text = problem.detail
    if isinstance(error, NotFound):
        hint = text.partition(". ")[2]
        text = hint or "It may have been deleted since, or the address was mistyped."
    if isinstance(error, HTTPException) and problem.status == 404:
        text = "There is no page at this address. It may have been mistyped, or an old link."
    title, icon, tone, steps = {
        403: ("You may not do this", "user", "warning", [home]),
        404: (_missing(error), "search", "pending", [listed, home]),
        405: ("This is not a page", "search", "pending", [home]),
        409: ("That is not possible now", "warning", "warning", [again, home]),
        422: ("That is not a valid request", "warning", "warning", [listed, home]),
        429: ("Too many requests", "pause", "warning", [again]),
        503: ("The store does not answer", "warning", "failed", [again]),
    }.get(problem.status, ("Something went wrong", "warning", "failed", [again, home]))
    return Shown(title=title, text=text, icon=icon, tone=tone, steps=list(steps))


def _missing(error: Exception) -> str:
    if isinstance(error, NotFound):
        return f"There is no {error.kind} {error.name}"
    return "There is nothing here"
