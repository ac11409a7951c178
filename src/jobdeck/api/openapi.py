"""The OpenAPI description of the API: what Litestar finds, and what only Jobdeck knows."""

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

import jobdeck
from jobdeck.actions import pools
from jobdeck.api import jobs, pipelines, queues, root, schedules, session
from jobdeck.api.kinds import Items
from jobdeck.client import answers, requests, shapes
from jobdeck.client.problems import MEDIA_TYPE, Problem

Schema = dict[str, Any]

_ABOUT = (
    "Creates, finds and controls jobs, flows, queues, schedules, pipelines and workers. Times are "
    "ISO 8601 in UTC, durations seconds. Errors are problem details (RFC 9457): `code` is a word "
    "for programs, `field` names the value that was refused. Query parameters and body fields "
    "that a call does not know are refused."
)
_MEANINGS = {
    400: "The body cannot be read",
    401: "Nobody, or nobody known, asked",
    403: "The one who asked may not do this",
    404: "What was named does not exist",
    409: "It is not in a state that allows this; says in which",
    413: "The body is too large",
    422: "A value does not fit; `field` names it",
    429: "Too many attempts",
    503: "The store cannot be reached",
}
_MODULES = (shapes, answers, requests, pools, pipelines, queues, schedules, session, jobs, root)
_TEXT = {"type": "string"}
_CONTENT: dict[str, dict[str, Schema]] = {
    "/api/v1/jobs/{job_id}/logs": {
        "application/json": {"$ref": "#/components/schemas/ListOfLogLine"},
        "text/plain": _TEXT,
    },
    "/api/v1/jobs/{job_id}/files/{name}": {
        "application/octet-stream": {"type": "string", "format": "binary"}
    },
    "/api/v1/events": {"text/event-stream": _TEXT},
    "/metrics": {"text/plain": _TEXT},
}
_REFUSING = {"POST", "PATCH", "DELETE"}


@cache
def describe(base_path: str, handlers: tuple[ControllerRouterHandler, ...]) -> Schema:
    """The description of the calls of these handlers, at a server with that base path."""
    app = Litestar(
        list(handlers),
        openapi_config=OpenAPIConfig(
            title="Jobdeck", version=jobdeck.__version__, use_handler_docstrings=True
        ),
        dependencies={
            name: Provide(lambda: None, sync_to_thread=False) for name in ("deck", "actor", "asker")
        },
        logging_config=None,
    )
    schema: Schema = _rename_lists(app.openapi_schema.to_schema())
    components: Schema = schema["components"]["schemas"]
    components.update(_exact(components))
    for path, method, handler in _calls(app):
        _complete(schema["paths"][path][method], handler, path, method.upper())
    schema["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "jobdeck_*"},
    }
    schema["info"]["description"] = _ABOUT
    schema["servers"] = [{"url": base_path or "/"}]
    schema["paths"] = dict(sorted(schema["paths"].items()))
    return schema


def _rename_lists(schema: Schema) -> Schema:
    text = msgspec.json.encode(schema).decode()
    text = re.sub(r"\bItems_(?:\w+\.)*(\w+?)_(?=\W)", r"ListOf\1", text)
    found: Schema = msgspec.json.decode(text)
    return found


def _exact(components: Schema) -> Schema:
    """The shapes as msgspec itself reads and writes them; Litestar's lack limits and choices."""
    types: list[Any] = [Problem, Items[shapes.LogLine]]
    for module in _MODULES:
        types += [
            kind
            for name, kind in vars(module).items()
            if name in components and getattr(kind, "__module__", "") == module.__name__
        ]
    found = msgspec.json.schema_components(
        list(dict.fromkeys(types)), ref_template="#/components/schemas/{name}"
    )[1]
    exact = _rename_lists(found)
    for shape in exact.values():
        if "description" in shape:
            shape["description"] = " ".join(shape["description"].split())
    return exact


def _calls(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if "role" in handler.opt:
                for method in handler.http_methods:
                    yield route.path_format, str(method).lower(), handler


def _complete(call: Schema, handler: HTTPRouteHandler, path: str, method: str) -> None:
    about = inspect.cleandoc(call.get("description") or "")
    first, _, rest = about.partition(".\n")
    if not rest:
        first, _, rest = about.partition(". ")
    call["summary"] = " ".join(first.rstrip(".").split())
    call["description"] = " ".join(rest.split())
    tag = call["tags"][0]
    call["operationId"] = f"{tag}-{handler.handler_name.replace('_', '-')}"
    parameters = call.get("parameters", [])
    for parameter in parameters:
        _complete_parameter(parameter)
    if "requestBody" in call:
        data = handler.parsed_fn_signature.parameters["data"]
        call["requestBody"]["required"] = not data.has_default
    for media, kind in _CONTENT.get(path, {}).items():
        content = call["responses"]["200"].setdefault("content", {})
        for other in [each for each in content if each not in _CONTENT[path]]:
            del content[other]
        content[media] = {"schema": kind}
    call["responses"].get("204", {}).pop("content", None)
    role = handler.opt["role"]
    if role is not None:
        call["x-role"] = role.name.lower()
        call["security"] = [{"token": []}, {"session": []}]
    responses = {code: found for code, found in call["responses"].items() if code != "400"}
    if "wait" in {parameter["name"] for parameter in parameters} or path.endswith("{name}/run"):
        known = next(iter(responses.values()))
        codes = ("200", "202") if method == "POST" else ("200",)
        responses = {code: {**known, "description": _ENDED[code]} for code in codes} | responses
    call["responses"] = responses | {
        str(code): _problem(code) for code in _errors(call, role, path, method)
    }


_ENDED = {"200": "The job has ended", "202": "The job has been created, and has not ended yet"}


def _complete_parameter(parameter: Schema) -> None:
    for field in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(field, None)
    schema = parameter["schema"]
    schema.pop("description", None)
    if parameter["in"] == "path":
        schema.pop("format", None)
    # A query cannot hold null: what may be null may be left out.
    kinds = [kind for kind in schema.pop("oneOf", []) if kind.get("type") != "null"]
    if len(kinds) == 1:
        schema.update(kinds[0])
    elif kinds:
        schema["oneOf"] = kinds
    for limit in ("minimum", "maximum"):
        if schema.get("type") == "integer" and limit in schema:
            schema[limit] = int(schema[limit])


def _errors(call: Schema, role: object, path: str, method: str) -> list[int]:
    found = [422, 503]
    if role is not None:
        found += [401, 403]
    if "requestBody" in call:
        found += [400, 413]
    if "{" in path or method == "POST" or path.endswith("/count"):
        found.append(404)
    if method in _REFUSING:
        found.append(409)
    if path.endswith("/session") and method == "POST":
        found += [401, 429]
    return sorted(set(found))


def _problem(code: int) -> Schema:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": _MEANINGS[code], "content": {MEDIA_TYPE: {"schema": reference}}}
