"""`ctx.http`: httpx clients that keep a record of each call, bounded and without secrets."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Any

import httpx

from jobdeck.domain import clock
from jobdeck.sdk.runtime import HttpRecord, JobView, Runtime

BODY_CHARS = 4_000
URL_CHARS = 2_000
TIMEOUT_S = 30.0
_HIDDEN = "[redacted]"
_SECRET = re.compile(
    r"^(?:key|sig|auth|sid|code_verifier)$|(?:api|access|private|subscription|auth)[-_]?key"
    r"|secret|passw|passphrase|pwd|token|authori[sz]ation|credential|signature|session[-_]?id"
    r"|cookie",
    re.IGNORECASE,
)
_JSON_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:\s*)("(?:[^"\\]|\\.)*"|[^\s,{}\[\]"]+)')
_FORM_PAIR = re.compile(r"(?<![^&])([^=&\s]+)=([^&\s]*)")


class Recorder:
    """Keeps a record of each answer or error, redirects included."""

    def __init__(self, job: JobView, runtime: Runtime) -> None:
        self._job = job
        self._runtime = runtime
        self._at = clock.now()
        self._start = time.perf_counter()

    def answered(self, response: httpx.Response) -> None:
        """The call has got its answer."""
        took = time.perf_counter() - self._start
        for hop in response.history:
            self._keep(hop.request, hop, _elapsed(hop))
        self._keep(response.request, response, took)

    def failed(self, request: httpx.Request, error: Exception) -> None:
        """The call has got none."""
        told = f"{type(error).__name__}: {error}"[:BODY_CHARS]
        self._keep(request, None, time.perf_counter() - self._start, told)

    def _keep(
        self,
        request: httpx.Request,
        response: httpx.Response | None,
        duration_s: float,
        error: str = "",
    ) -> None:
        record = HttpRecord(
            at=self._at,
            method=request.method,
            url=clean_url(request.url),
            status=None if response is None else response.status_code,
            duration_s=duration_s,
            request=_message(request),
            response="" if response is None else _message(response),
            error=error,
        )
        self._runtime.http_call(self._job, record)


class RecordingClient(httpx.Client):
    """Sends as httpx does, and keeps records."""

    def __init__(self, job: JobView, runtime: Runtime) -> None:
        # Without a transport httpx takes its proxies from the environment.
        super().__init__(transport=runtime.http_transport, timeout=TIMEOUT_S)
        self._recorder = partial(Recorder, job, runtime)

    def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """As `httpx.Client.send`."""
        recorder = self._recorder()
        try:
            response = super().send(request, **how)
        except Exception as error:
            recorder.failed(request, error)
            raise
        recorder.answered(response)
        return response


class AsyncRecordingClient(httpx.AsyncClient):
    """The same for coroutines."""

    def __init__(self, job: JobView, runtime: Runtime) -> None:
        super().__init__(transport=runtime.http_transport, timeout=TIMEOUT_S)
        self._recorder = partial(Recorder, job, runtime)
        self._finish = partial(runtime.run_coroutine, job)

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """As `httpx.AsyncClient.send`."""
        recorder = self._recorder()
        try:
            response = await super().send(request, **how)
        except Exception as error:
            recorder.failed(request, error)
            raise
        recorder.answered(response)
        return response

    def close(self) -> None:
        """Close its connections, on the loop that they belong to."""
        self._finish(self.aclose())


def clean_url(url: httpx.URL) -> str:
    """The address without user, password and the values of parameters that look secret."""
    if url.userinfo:
        url = url.copy_with(username=None, password=None)
    if url.query:
        pairs = [
            (name, _HIDDEN if _SECRET.search(name) else value)
            for name, value in url.params.multi_items()
        ]
        url = url.copy_with(params=pairs)
    return str(url)[:URL_CHARS].replace("%5Bredacted%5D", _HIDDEN)


def _message(message: httpx.Request | httpx.Response) -> str:
    headers = "\n".join(
        f"{name}: {_HIDDEN if _SECRET.search(name) else value}"
        for name, value in message.headers.multi_items()
    )
    body = _body(message)
    return f"{headers[:BODY_CHARS]}\n\n{body}" if body else headers[:BODY_CHARS]


def _body(message: httpx.Request | httpx.Response) -> str:
    try:
        content = message.content
    except (httpx.RequestNotRead, httpx.ResponseNotRead):
        return "(a stream, not kept)"
    # Cut well beyond what is kept, so that a secret is not cut in half before it is seen.
    text = content[: 4 * BODY_CHARS].decode("utf-8", errors="replace")
    text = _FORM_PAIR.sub(_clean_form, _JSON_PAIR.sub(_clean_json, text))
    if len(text) > BODY_CHARS:
        return f"{text[:BODY_CHARS]}… ({len(content):,} bytes)"
    return text


def _clean_json(pair: re.Match[str]) -> str:
    name, colon, value = pair.groups()
    return f'"{name}"{colon}"{_HIDDEN}"' if _SECRET.search(name) else f'"{name}"{colon}{value}'


def _clean_form(pair: re.Match[str]) -> str:
    name, value = pair.groups()
    return f"{name}={_HIDDEN if _SECRET.search(name) else value}"


def _elapsed(response: httpx.Response) -> float:
    try:
        return response.elapsed.total_seconds()
    except RuntimeError:
        return 0.0


def retry_after_s(response: Any, now: float) -> float | None:
    """Seconds that a 429 or 503 asks to wait; None if it does not, or not in a readable way.

    `now` is in seconds since the epoch.
    """
    if response.status_code not in {429, 503}:
        return None
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (TypeError, ValueError):
        return None
