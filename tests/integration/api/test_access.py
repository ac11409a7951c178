"""Who may ask for what: roles, tokens, sessions, requests from other sites."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import get
from litestar.testing import TestClient

from jobdeck.app import create_app
from jobdeck.client.settings import Settings
from jobdeck.domain import clock
from jobdeck.domain.errors import StartFailed
from jobdeck.domain.roles import Actor, Role
from jobdeck.http import auth, csrf
from jobdeck.http.auth import check_roles
from jobdeck.http.sessions import safe_next
from jobdeck.http.state import Deck
from jobdeck.store import sessions
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller


@pytest.fixture
def stranger(api: Caller) -> Caller:
    """One without a token."""
    return Caller(api.client, api.deck)


def session(deck: Deck, role: Role, *, ttl: float = 60.0) -> str:
    """The token of a session in that role."""
    token = secrets.token_urlsafe()
    with deck.store.write() as conn:
        sessions.open(conn, auth.digest(token), Actor("ana", role), clock.now(), ttl)
    return token


def signed_in(api: Caller, role: Role) -> Caller:
    """Somebody in that role, with the token that the pages of the session have."""
    token = session(api.deck, role)
    caller = Caller(api.client, api.deck)
    caller.headers = {
        "Cookie": f"{api.deck.cookie}={token}",
        csrf.HEADER: csrf.token(token),
        "Sec-Fetch-Site": "same-origin",
    }
    return caller


def routes(api: Caller, number: str = "999999") -> Iterator[tuple[str, str, Role | None]]:
    """Every route of the application, pages included, with the role that it declares."""
    for route in api.client.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                path = re.sub(r"\{(\w+):int\}", number, route.path)
                yield method, re.sub(r"\{[^}]+\}", "none", path), handler.opt["role"]


def test_every_route_lets_in_exactly_the_roles_that_it_declares(api: Caller) -> None:
    walked = 0
    for method, path, role in list(routes(api)):
        if path.endswith(("/events", "watched")) or "live" in path or role is None:
            continue
        walked += 1
        for mine in Role:
            answer = signed_in(api, mine).call(method, f"/{path}")
            allowed = mine >= role
            assert (answer.status_code == 403) != allowed, (method, path, mine, answer.text)
            assert answer.status_code != 401
            assert answer.status_code < 500, (method, path, answer.text)
    assert walked > 40


def test_a_number_that_no_store_can_hold_is_not_found(api: Caller) -> None:
    walked = 0
    for method, path, _ in list(routes(api, number="9" * 22)):
        if "9" * 22 in path:
            walked += 1
            answer = signed_in(api, Role.ADMIN).call(method, f"/{path}", json={"reason": "why"})
            assert answer.status_code < 500, (method, path, answer.text)
    assert walked > 20


def test_nobody_gets_in_without_signing_in(stranger: Caller) -> None:
    for method, path, role in list(routes(stranger)):
        if path.startswith("/api") and role is not None:
            answer = stranger.call(method, f"/{path}")
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_an_application_with_a_route_without_a_role_does_not_start(deck: Deck) -> None:
    @get("/open", sync_to_thread=False)
    def forgotten() -> None: ...

    app = create_app(deck)
    app.register(forgotten)
    with pytest.raises(StartFailed, match="/open"):
        check_roles(app)


def test_bearer_tokens(stranger: Caller) -> None:
    for token in ("secret-token", stranger.deck.start_token):
        answer = stranger.call("GET", "/session", headers={"Authorization": f"bearer {token}"})
        assert answer.json()["role"] == "admin"
    for wrong in ("", "secret-toke", "x" * 5000, "\xff"):
        answer = stranger.call(
            "GET", "/session", headers={"Authorization": f"Bearer {wrong}".encode("latin-1")}
        )
        assert answer.status_code == 401


def test_no_token_is_none_to_sign_in_with(here: Store) -> None:
    deck = Deck(here, Settings(token=""))
    with TestClient(create_app(deck)) as client:
        answer = client.get("/api/v1/session", headers={"Authorization": "Bearer "})
    assert answer.status_code == 401


def test_signing_in_and_out(stranger: Caller) -> None:
    token = stranger.deck.start_token
    answer = stranger.call("POST", "/session", json={"token": token})
    assert (answer.status_code, answer.json()["role"]) == (200, "admin")
    cookie = answer.headers["set-cookie"]
    for part in (stranger.deck.cookie, "HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert token not in cookie
    assert stranger.get("/session")["name"] == "admin"
    stranger.problem("DELETE", "/session", 403)
    headers = {csrf.HEADER: answer.json()["csrf"]}
    assert stranger.call("DELETE", "/session", headers=headers).status_code == 204
    stranger.client.cookies.set(stranger.deck.cookie, cookie.split(";")[0].split("=")[1])
    stranger.problem("GET", "/session", 401)


def test_signing_in_is_throttled(stranger: Caller) -> None:
    for _ in range(10):
        stranger.problem("POST", "/session", 401, json={"token": "guess"})
    body = {"token": stranger.deck.start_token}
    answer = stranger.call("POST", "/session", json=body)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_sessions_end_by_themselves(api: Caller) -> None:
    token = session(api.deck, Role.ADMIN, ttl=-1)
    caller = Caller(api.client, api.deck)
    cookie = {"Cookie": f"{api.deck.cookie}={token}"}
    caller.problem("GET", "/session", 401, headers=cookie)


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({csrf.HEADER: None}, False),
        ({csrf.HEADER: "guess"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": None, "Origin": "https://evil.example"}, False),
        ({"Sec-Fetch-Site": None, "Origin": "null"}, False),
        ({"Sec-Fetch-Site": None, "Origin": "http://testserver.local"}, True),
        ({"Sec-Fetch-Site": None}, True),
    ],
)
def test_a_session_does_nothing_for_other_sites(
    api: Caller, headers: dict[str, Any], passes: bool
) -> None:
    caller = signed_in(api, Role.OPERATOR)
    sent = {**caller.headers, **headers}
    caller.headers = {name: text for name, text in sent.items() if text is not None}
    answer = caller.call("POST", "/queues/etl/pause")
    assert answer.status_code == (200 if passes else 403), answer.text
    assert caller.call("GET", "/queues").status_code == 200


def test_a_bearer_needs_no_token_of_a_page(api: Caller) -> None:
    api.post("/queues/etl/pause", headers={"Origin": "https://elsewhere.example"})


def test_the_token_may_come_in_a_form(api: Caller) -> None:
    caller = signed_in(api, Role.OPERATOR)
    token = caller.headers.pop(csrf.HEADER)
    for given, passes in ((token, True), ("guess", False)):
        answer = caller.call("POST", "/queues/etl/pause", data={csrf.FIELD: given})
        assert (answer.status_code != 403) == passes


def test_two_servers_on_one_machine_have_cookies_of_their_own(here: Store) -> None:
    names = {Deck(here, base_path=path).cookie for path in ("", "/a", "/b")}
    assert len(names) == 3


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/x/jobs?status=failed", True),
        ("/x/", True),
        ("/jobs", False),
        ("//evil.example/x/", False),
        ("https://evil.example/x/", False),
        ("/x/\\evil.example", False),
        ("/x/\r\nSet-Cookie: a=b", False),
        ("", False),
    ],
)
def test_signing_in_leads_nowhere_else(here: Store, target: str, safe: bool) -> None:
    deck = Deck(here, base_path="/x")
    assert safe_next(deck, target) == (target if safe else "/x/")
