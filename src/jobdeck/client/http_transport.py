"""Calls to a server, and creating jobs through them."""

import platform
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx
import msgspec

import jobdeck
from jobdeck.client import requests
from jobdeck.client.problems import to_error
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, ServerRefused, StoreUnreachable
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.uniqueness import Kept
from jobdeck.sdk.transport import EnqueueItem

T = TypeVar("T")

TIMEOUT_S = 30.0


class Connection:
    """Calls to the API of a server, with its answers read and its errors raised.

    Safe to share between threads.
    """

    def __init__(self, url: str, token: str = "") -> None:
        """`url` is where the dashboard is, with its base path.

        Raises:
            InvalidValue: it is not an address.
        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL()
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise InvalidValue("url", f"{url!r} is not an address; write http://HOST:PORT")
        self.url = url.rstrip("/")
        headers = {
            "User-Agent": f"jobdeck/{jobdeck.__version__} Python/{platform.python_version()}",
            "Accept": "application/json",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT_S)

    def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        query: Mapping[str, Any] | None = None,
        body: msgspec.Struct | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> T:
        """What the server answers to a call under `/api/v1`, as that kind.

        Raises:
            JobdeckError: the server's own error, with its sentence.
            ServerRefused: an answer that is not one of a Jobdeck server.
            StoreUnreachable: the server does not answer.
        """
        answer = self.send(method, path, query=query, body=body, timeout_s=timeout_s)
        try:
            return msgspec.json.decode(answer or b"null", type=kind)
        except msgspec.MsgspecError as error:
            raise ServerRefused(
                200, f"The server at {self.url} answered what this client cannot read: {error}"
            ) from None

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: msgspec.Struct | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """The same, with the answer as it came.

        Raises:
            InvalidValue: the body holds what JSON cannot.
        """
        try:
            content = msgspec.json.encode(body) if body is not None else None
        except (TypeError, UnicodeEncodeError, RecursionError) as error:
            raise InvalidValue("body", f"cannot be written as JSON: {error}") from None
        try:
            answer = self._http.request(
                method,
                f"{self.url}/api/v1{path}",
                params={name: value for name, value in (query or {}).items() if _given(value)},
                content=content,
                headers={"Content-Type": "application/json"} if content else None,
                timeout=timeout_s,
            )
        except httpx.HTTPError as error:
            raise StoreUnreachable(
                f"The server at {self.url} does not answer: {str(error) or type(error).__name__}. "
                "Check JOBDECK_URL, and that it runs."
            ) from error
        if answer.status_code >= 400:
            wait = answer.headers.get("retry-after", "")
            raise to_error(answer.status_code, answer.content, int(wait) if wait.isdecimal() else 1)
        return answer.content

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


def _given(value: Any) -> bool:
    return value is not None and value != ""


class HttpTransport:
    """`enqueue()` through a server; see `sdk.transport.Transport`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enqueue(
        self,
        items: Sequence[EnqueueItem],
        manifest: PipelineManifest | None = None,
        *,
        reason: str = "",
    ) -> list[int]:
        """Create the jobs and give their numbers, in order. More than fit into one call are sent
        in several, each of them all or nothing.

        Raises:
            JobdeckError: as the server says.
            StoreUnreachable: the server does not answer.
        """
        ids: list[int] = []
        for start in range(0, len(items), requests.BATCH):
            batch = [_body(item) for item in items[start : start + requests.BATCH]]
            body = requests.NewItems(items=batch, manifest=manifest, reason=reason)
            made = self._connection.call("POST", "/jobs/batch", _Created, body=body, timeout_s=120)
            kept = set(made.kept)
            ids += [Kept(each) if at in kept else each for at, each in enumerate(made.ids)]
        return ids

    def close(self) -> None:
        """Let go of the connections."""
        self._connection.close()


class _Created(msgspec.Struct):
    ids: list[int]
    kept: list[int] = []


def _body(item: EnqueueItem) -> requests.NewItem:
    return requests.NewItem(
        flow=item.flow,
        params=item.params,
        context=item.context,
        priority=item.priority,
        run_at=None if item.run_at is None else clock.to_datetime(item.run_at).isoformat(),
        parent=item.parent,
        **wished(item),
    )


def wished(item: EnqueueItem) -> dict[str, Any]:
    """The fields of a body that say what the job is not to be created beside."""
    wish = item.unique
    return {
        "unique_key": wish.key,
        "unique_in": wish.within,
        "unique_for_s": wish.for_s,
        "on_duplicate": wish.on_duplicate,
    }
