"""Errors on the wire: RFC 9457 problem details, and the error of the domain for each."""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from jobdeck.domain.errors import (
    Duplicate,
    Forbidden,
    InvalidValue,
    JobdeckError,
    Malformed,
    NotFound,
    ServerRefused,
    StoreCorrupt,
    StoreUnreachable,
    StoreVersion,
    TooMany,
    Unauthenticated,
    WrongState,
)

MEDIA_TYPE = "application/problem+json"

KINDS: dict[type[JobdeckError], tuple[int, str]] = {
    Malformed: (400, "malformed"),
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    WrongState: (409, "wrong_state"),
    Duplicate: (409, "duplicate"),
    InvalidValue: (422, "invalid_value"),
    TooMany: (429, "too_many"),
    ServerRefused: (502, "server_refused"),
    StoreUnreachable: (503, "store_unreachable"),
    StoreCorrupt: (503, "store_corrupt"),
    StoreVersion: (503, "store_version"),
}
"""The status and code of each error; one that is not here has those of its nearest base."""

_CODES = {code: kind for kind, (_, code) in KINDS.items()}


class Problem(Struct, frozen=True, kw_only=True):
    """What a failed call answers. `code` is a closed word for programs, `detail` a sentence for
    people, `field` the name of the value that was refused, `job` the number of the job that has
    the same unique key."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    field: str | UnsetType = UNSET
    job: int | UnsetType = UNSET


def to_error(status: int, body: bytes, retry_after_s: int = 1) -> JobdeckError:
    """The error that a server's answer tells of, with the server's own sentence."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        text = body[:200].decode(errors="replace").strip()
        return ServerRefused(status, f"The server answered {status}: {text or 'nothing'}")
    kind = _CODES.get(problem.code, ServerRefused)
    if issubclass(kind, InvalidValue):
        field = problem.field or "value"
        return InvalidValue(field, problem.detail.removeprefix(f"{field}: "))
    if issubclass(kind, NotFound):
        missing = NotFound("", "")
        missing.args = (problem.detail,)
        return missing
    if issubclass(kind, Duplicate):
        return Duplicate(problem.detail, None if problem.job is UNSET else problem.job)
    if issubclass(kind, TooMany):
        return TooMany(problem.detail, retry_after_s)
    if issubclass(kind, ServerRefused):
        return ServerRefused(status, problem.detail)
    return kind(problem.detail)
