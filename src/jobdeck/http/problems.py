"""Errors as RFC 9457 problem details: what is wrong, why, and which field."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap
from msgspec import UNSET

from jobdeck.client.problems import KINDS, MEDIA_TYPE, Problem
from jobdeck.domain.errors import Duplicate, InvalidValue, JobdeckError, TooMany
from jobdeck.domain.names import WRONG

_log = structlog.get_logger("jobdeck.http")
_NAMED = re.compile(r"field `([^`]+)`")


_STATUS_CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "malformed",
    429: "too_many",
}


def describe(error: Exception) -> Problem:
    """The problem that tells of `error`; an unexpected one tells nothing of itself."""
    if isinstance(error, JobdeckError):
        for kind in type(error).__mro__:
            if kind in KINDS:
                status, code = KINDS[kind]
                field = error.field if isinstance(error, InvalidValue) else None
                problem = _problem(status, code, str(error), field)
                if isinstance(error, Duplicate) and error.job is not None:
                    problem = msgspec.structs.replace(problem, job=error.job)
                return problem
    if isinstance(error, ValidationException):
        return _invalid(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = _STATUS_CODES.get(error.status_code, "malformed")
        return _problem(error.status_code, code, _sentence(error))
    if isinstance(error, RecursionError):
        return _problem(400, "malformed", "The body is nested too deeply.")
    return _problem(
        500, "internal", "Something went wrong inside Jobdeck; the server's log tells more."
    )


def _problem(status: int, code: str, detail: str, field: str | None = None) -> Problem:
    title = HTTPStatus(status).phrase
    return Problem(title=title, status=status, code=code, detail=detail, field=field or UNSET)


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this address; /api/docs lists all calls."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        return f"This address does not take that method; it takes {allowed or 'others'}."
    if error.status_code == 413:
        return "The body is too large."
    return error.detail


def _invalid(error: ValidationException) -> Problem:
    """Litestar answers 400 where a value was readable but does not fit: that is 422 here."""
    extra = error.extra if isinstance(error.extra, list) else []
    first: dict[str, Any] = next((item for item in extra if isinstance(item, dict)), {})
    message = str(first.get("message") or error.detail)
    field = str(first.get("key") or "")
    named = _NAMED.search(message)
    if named:
        path = field.removeprefix("data").strip(".")
        field = f"{path}.{named[1]}" if path else named[1]
    elif field == "data":
        field = "body"
    if message.startswith("Missing required"):
        field, message = message.split("'")[1] if "'" in message else field, "is required"
    elif "matching regex" in message:  # only names have a pattern
        message = WRONG
    detail = f"{field}: {message}" if field else message
    return _problem(422, "invalid_value", detail, field or None)


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The response that tells of `error`."""
    problem = describe(error)
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException) and error.headers:
        headers.update(error.headers)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        headers["Retry-After"] = "5"
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.after_s)
    if problem.status >= 500 and "client disconnected" not in str(error):
        _log.error(
            "request failed",
            method=request.method,
            path=request.scope["path"],
            status=problem.status,
            exc_info=error,
        )
    return Response(problem, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


HANDLERS: ExceptionHandlersMap = {Exception: answer}
"""For the API, and for the application where no page is meant."""
