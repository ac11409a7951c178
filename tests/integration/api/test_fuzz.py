"""Whatever a caller sends, as the API's own description suggests and as it forbids: never a
500, and every answer as it is described."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from jobdeck.api.openapi import describe
from jobdeck.api.routes import DESCRIBED
from jobdeck.domain.states import Code
from jobdeck.store import schema as stores
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, ServedApart
from tests.integration.hands import Hands, define

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 8
DESCRIPTION = describe("", DESCRIBED)
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
CALLS = [
    (method.upper(), path)
    for path, calls in DESCRIPTION["paths"].items()
    for method in calls
    # A stream has no end.
    if path != "/api/v1/events"
]
PATIENCE = {"wait": 0, "timeout": 0}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApart]:
    """A server over a store in which some of what is asked for exists."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('fuzz') / 'jobdeck.db'}")
    stores.ensure(store)
    define(store)
    with ServedApart(store.address) as server:
        for _ in range(5):
            body = {"params": {"city": "Gouda"}}
            server.http.post(f"{server.url}/api/v1/flows/weather/jobs", json=body)
            Hands(store).run(Code.COMPLETED)
        yield server
    store.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), CALLS, ids=[" ".join(call) for call in CALLS])
def test_no_answer_is_an_accident(
    served: ServedApart, method: str, path: str, mode: GenerationMode
) -> None:
    operation = SCHEMA[path][method]
    extra = [negative_data_rejection] if mode is GenerationMode.NEGATIVE else []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def ask(case: Any) -> None:
        for name, value in PATIENCE.items():
            if isinstance(case.query.get(name), (int, float)):
                case.query[name] = value
        case.call_and_validate(
            base_url=served.url,
            headers={"Authorization": f"Bearer {TOKEN}"},
            checks=[*CHECKS, *extra],
        )

    # What takes nothing cannot be given anything wrong.
    with contextlib.suppress(Unsatisfiable):
        ask()
