"""Asking an API in tests."""

from __future__ import annotations

from typing import Any

import httpx
from litestar.testing import TestClient

from jobdeck.http.state import Deck


class Caller:
    """Calls under the base path of a deck, by default with a bearer token."""

    def __init__(self, client: TestClient[Any], deck: Deck, *, token: str = "") -> None:
        self.client = client
        self.deck = deck
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What a call under /api/v1 answers; a path from the root begins with two slashes."""
        inside = path[1:] if path.startswith("//") else f"/api/v1{path}"
        headers = {**self.headers, **more.pop("headers", {})}
        address = self.deck.address(inside)
        return self.client.request(method, address, headers=headers, follow_redirects=False, **more)

    def get(self, path: str, **more: Any) -> Any:
        """The JSON of what succeeds."""
        answer = self.call("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON of what succeeds."""
        answer = self.call("POST", path, json=body, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def problem(self, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
        """The problem of what fails with that status."""
        answer = self.call(method, path, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = answer.json()
        assert found["status"] == status
        assert found["detail"]
        return found
