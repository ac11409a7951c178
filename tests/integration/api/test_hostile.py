"""Requests that no client of ours would send: never a 500, and the server goes on."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.domain import clock
from jobdeck.domain.roles import Actor, Role
from jobdeck.http import auth, csrf
from jobdeck.store import schema, sessions
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, ServedApart
from tests.integration.hands import define

SESSION = "a session"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApart]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'jobdeck.db'}")
    schema.ensure(store)
    define(store)
    with store.write() as conn:
        sessions.open(conn, auth.digest(SESSION), Actor("ana", Role.ADMIN), clock.now(), 600)
    with ServedApart(store.address) as server:
        yield server
    store.close()


def send(served: ServedApart, request: bytes) -> int:
    """The status that those bytes are answered with; 0: the connection was ended."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            while chunk := connection.recv(65536):
                answer += chunk
    return int(answer.split(b" ", 2)[1]) if answer else 0


def head(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


BEARER = f"Authorization: Bearer {TOKEN}"
JOBS = "/api/v1/jobs"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head("FOO", JOBS, BEARER), 405),
        (head("TRACE", JOBS, BEARER), 405),
        (head("OPTIONS", JOBS), 204),
        (head("GET", f"{JOBS}?limit=1&limit=2", BEARER), (200, 422)),
        (head("GET", f"{JOBS}?q=%ff%fe", BEARER), 200),
        (head("GET", f"{JOBS}?%00=1", BEARER), 422),
        (head("GET", f"{JOBS}?status=", BEARER), 200),
        (head("GET", f"{JOBS}?status=%F0%9F%92%A9", BEARER), 422),
        (head("GET", f"{JOBS}?" + "&".join(["status=failed"] * 3000), BEARER), (200, 422)),
        (head("GET", f"{JOBS}?q={'x' * 20000}", BEARER), 422),
        (head("GET", f"{JOBS}/%31", BEARER), 404),
        (head("GET", f"{JOBS}/1e5", BEARER), 404),
        (head("GET", f"{JOBS}/%00", BEARER), 404),
        (head("GET", f"{JOBS}/1/files/%00", BEARER), (404, 422)),
        (head("GET", f"{JOBS}/1/files/..%2f..%2f..%2fetc%2fpasswd", BEARER), 404),
        (head("GET", "/api/v1/flows/%00", BEARER), 422),
        (head("GET", "/api/v1/flows/" + "x" * 5000, BEARER), 404),
        (head("GET", "/api/v1/../../etc/passwd", BEARER), 404),
        (head("GET", "//api//v1//jobs", BEARER), (200, 404)),
        (head("GET", JOBS, "Authorization: Bearer \xff\xfe"), 401),
        (head("GET", JOBS, "Authorization: Basic eDp5"), 401),
        (head("GET", JOBS, "Authorization: Bearer"), 401),
        (head("GET", JOBS, "Cookie: =;;;\xff; a"), 401),
        (head("GET", "/api/v1/jobs/1/logs", BEARER, "Accept: \xff;q=x"), 404),
        (head("GET", "/api/v1/events?topic=x", BEARER, "Last-Event-ID: \xff"), 422),
        (head("POST", "/api/v1/flows/weather/jobs", BEARER, "Content-Length: 0"), 422),
        (head("POST", "/api/v1/flows/weather/jobs", BEARER, "Content-Length: 2") + b"{}", 422),
        (head("POST", "/api/v1/flows/weather/jobs", BEARER, "Content-Length: 4") + b"null", 422),
        (
            head(
                "POST",
                "/api/v1/flows/weather/jobs",
                BEARER,
                "Content-Type: application/json; charset=utf-16",
                "Content-Length: 4",
            )
            + b"\xff\xfe{}",
            400,
        ),
        (head("POST", JOBS + "/1/stop", BEARER, "Content-Length: 99999999999"), (0, 400, 413)),
        (
            head("POST", JOBS + "/1/stop", BEARER, "Transfer-Encoding: chunked") + b"zz\r\n",
            (0, 400),
        ),
        (b"GARBAGE\r\n\r\n", 400),
        (head("GET", JOBS, BEARER, "X: " + "y" * 200_000), (0, 400, 431)),
    ],
)
def test_is_refused_in_order(
    served: ServedApart, request_: bytes, status: int | tuple[int, ...]
) -> None:
    expected = status if isinstance(status, tuple) else (status,)
    assert send(served, request_) in expected
    assert served.http.get(f"{served.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nnonsense"),
        ("application/x-www-form-urlencoded", b"%ff%fe&=&&csrf_token=%00"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"csrf_token=x"),
        ("\xff/\xff", b"csrf_token=x"),
        ("", b""),
    ],
)
def test_forms_of_a_session_that_cannot_be_read(
    served: ServedApart, tmp_path: Path, kind: str, body: bytes
) -> None:
    cookie = _cookie(served)
    request = head(
        "POST",
        "/api/v1/queues/etl/pause",
        f"Cookie: {cookie}={SESSION}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
    )
    assert send(served, request + body) in (400, 403, 422)
    right = f"{csrf.HEADER}: {csrf.token(SESSION)}"
    allowed = head("POST", "/api/v1/queues/etl/pause", f"Cookie: {cookie}={SESSION}", right)
    assert send(served, allowed) == 200


def _cookie(served: ServedApart) -> str:
    answer = served.http.post(f"{served.url}/api/v1/session", json={"token": TOKEN})
    assert answer.status_code == 200
    found = next(iter(answer.cookies))
    served.http.cookies.clear()
    return found
