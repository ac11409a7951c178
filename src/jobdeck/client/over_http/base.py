"""What every part of the backend over a server shares."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from jobdeck.client import answers, shapes
from jobdeck.client.http_transport import Connection, HttpTransport
from jobdeck.client.shaping import Shape
from jobdeck.domain import clock
from jobdeck.domain.bulk import Bulk
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Job


class Items(Struct):
    """What a list call answers, each item still to be read."""

    items: list[msgspec.Raw]
    next: int | str | None = None


class OverHttpBase:
    """A connection to a server, and how records come over it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport = HttpTransport(connection)

    def _one(
        self,
        method: str,
        path: str,
        shape: type[Shape],
        *,
        body: Struct | None = None,
    ) -> Any:
        return self.connection.call(method, path, shape, body=body).record()

    def _all(
        self,
        method: str,
        path: str,
        shape: type[Shape],
        *,
        query: Mapping[str, Any] | None = None,
        body: Struct | None = None,
    ) -> list[Any]:
        found = self.connection.call(method, path, Items, query=query, body=body)
        return [msgspec.json.decode(item, type=shape).record() for item in found.items]

    def _job(self, path: str, body: Struct) -> Job:
        job: Job = self._one("POST", path, shapes.Job, body=body)
        return job

    def close(self) -> None:
        """Let go of the connections."""
        self.connection.close()


def part(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def iso(at: int | None) -> str | None:
    """A time as the server reads it."""
    return None if at is None else clock.to_datetime(at).isoformat()


def changes_of(kind: type[Struct], changes: Mapping[str, Any], reason: str) -> Struct:
    """A body that holds these changes and nothing else.

    Raises:
        InvalidValue: there is no such setting.
    """
    for name in changes:
        if name not in kind.__struct_fields__ or name == "reason":
            known = ", ".join(each for each in kind.__struct_fields__ if each != "reason")
            raise InvalidValue(name, f"no such setting to change; there are: {known}")
    return kind(**changes, reason=reason)


def bulk_of(told: msgspec.Raw, action: str, number: int) -> Bulk:
    """What was done at once, or the job that does it."""
    found = msgspec.json.decode(told, type=dict[str, msgspec.Raw])
    if "status" not in found:
        return msgspec.json.decode(told, type=answers.Bulk).record()
    job: Job = msgspec.json.decode(told, type=shapes.Job).record()
    return Bulk(action=action, number=number, job=job)
