"""Requests that may come twice: the second one is answered by the jobs of the first."""

import hashlib

from msgspec import Struct

from jobdeck.actions.perform import Tx
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.roles import Actor
from jobdeck.store import idempotency

HEADER = "Idempotency-Key"
KEY_CHARS = 255


class Once(Struct, frozen=True):
    """A request by digests: of its key, which is the actor's own, and of what it asks for."""

    key: str
    request: str

    @classmethod
    def of(cls, actor: Actor, key: str, request: bytes) -> "Once":
        """The request `request` under that key, as it came in the header.

        Raises:
            InvalidValue: the key is empty or too long.
        """
        bare = key.strip()
        if len(bare) > 1 and bare[0] == bare[-1] == '"':
            bare = bare[1:-1]
        if not 1 <= len(bare) <= KEY_CHARS:
            raise InvalidValue(HEADER, f"is not a text of 1 to {KEY_CHARS} characters")
        own = hashlib.sha256(f"{actor.kind}\n{actor.name}\n{bare}".encode()).hexdigest()
        return cls(own, hashlib.sha256(request).hexdigest())


def created_before(tx: Tx, once: Once | None) -> list[int]:
    """The jobs that the request has created already, so far. Who repeats it while it is being
    answered waits here.

    Raises:
        InvalidValue: the key stands for another request.
    """
    if once is None:
        return []
    request, ids = idempotency.begin(tx.conn, once.key, once.request, tx.now)
    if request != once.request:
        raise InvalidValue(
            HEADER, "was used for another request within the last 24 hours; take a new one"
        )
    return ids


def keep(tx: Tx, once: Once | None, ids: list[int]) -> None:
    """The request is answered by these jobs."""
    if once is not None:
        idempotency.keep(tx.conn, once.key, ids)
