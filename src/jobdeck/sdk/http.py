"""`ctx.http`: an httpx client that keeps a record of each call, bounded and without secrets."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx

from jobdeck.domain import clock
from jobdeck.sdk.runtime import HttpRecord, JobView, Runtime

BODY_CHARS = 4_000
URL_CHARS = 2_000
_HIDDEN = "[redacted]"
_SECRET = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|auth\w*|credentials?|sig(?:nature)?"
    r"|session\w*|code)"
)
_SECRET_NAME = re.compile(rf"(?:^|[-_.]|x-){_SECRET}(?:$|[-_.])|{_SECRET}$", re.IGNORECASE)
_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie"}
_JSON_SECRET = re.compile(
    rf'("[^"]*{_SECRET}"\s*:\s*)("(?:[^"\\]|\\.)*"|[^\s,}}\]]+)', re.IGNORECASE
)
_FORM_SECRET = re.compile(rf"((?:^|&)[^=&]*{_SECRET}=)[^&]*", re.IGNORECASE)


class RecordingClient(httpx.Client):
    """Sends as httpx does and keeps a record of each answer or error, redirects included."""

    def __init__(self, job: JobView, runtime: Runtime) -> None:
        # Without a transport httpx takes its proxies from the environment.
        super().__init__(transport=runtime.http_transport, timeout=30.0)
        self._job = job
        self._runtime = runtime

    def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """As `httpx.Client.send`."""
        at, start = clock.now(), time.perf_counter()
        try:
            response = super().send(request, **how)
        except Exception as error:
            self._record(request, None, at, time.perf_counter() - start, _error_text(error))
            raise
        for hop in response.history:
            self._record(hop.request, hop, at, _elapsed(hop, 0.0))
        self._record(response.request, response, at, time.perf_counter() - start)
        return response

    def _record(
        self,
        request: httpx.Request,
        response: httpx.Response | None,
        at: int,
        duration_s: float,
        error: str = "",
    ) -> None:
        record = HttpRecord(
            at=at,
            method=request.method,
            url=clean_url(request.url),
            status=None if response is None else response.status_code,
            duration_s=duration_s,
            request=_message(request),
            response="" if response is None else _message(response),
            error=error,
        )
        self._runtime.http_call(self._job, record)


def clean_url(url: httpx.URL) -> str:
    """The address without user, password and the values of parameters that look secret."""
    if url.userinfo:
        url = url.copy_with(username=None, password=None)
    if url.query:
        pairs = [
            (name, _HIDDEN if _SECRET_NAME.search(name) else value)
            for name, value in url.params.multi_items()
        ]
        url = url.copy_with(params=pairs)
    return str(url)[:URL_CHARS].replace("%5Bredacted%5D", _HIDDEN)


def _message(message: httpx.Request | httpx.Response) -> str:
    headers = "\n".join(
        f"{name}: {_HIDDEN if _is_secret(name) else value}"
        for name, value in message.headers.multi_items()
    )
    body = _body(message)
    return f"{headers[:BODY_CHARS]}\n\n{body}" if body else headers[:BODY_CHARS]


def _is_secret(header: str) -> bool:
    return header.lower() in _SECRET_HEADERS or bool(_SECRET_NAME.search(header))


def _body(message: httpx.Request | httpx.Response) -> str:
    try:
        content = message.content
    except (httpx.RequestNotRead, httpx.ResponseNotRead):
        return "(a stream, not kept)"
    # Cut well beyond what is kept, so that a secret is not cut in half before it is seen.
    text = content[: 4 * BODY_CHARS].decode("utf-8", errors="replace")
    text = _FORM_SECRET.sub(rf"\1{_HIDDEN}", _JSON_SECRET.sub(rf'\1"{_HIDDEN}"', text))
    if len(text) > BODY_CHARS:
        return f"{text[:BODY_CHARS]}… ({len(content):,} bytes)"
    return text


def _elapsed(response: httpx.Response, otherwise: float) -> float:
    try:
        return response.elapsed.total_seconds()
    except RuntimeError:
        return otherwise


def _error_text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:BODY_CHARS]


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
