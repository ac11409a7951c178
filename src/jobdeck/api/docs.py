"""The page that lists all calls, and the description for programs. It loads nothing from
elsewhere and runs no script."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response, Router, get
from litestar.types import ControllerRouterHandler
from markupsafe import Markup, escape

from jobdeck.http.auth import PUBLIC
from jobdeck.http.state import AtDeck

_HERE = Path(__file__).parent
_METHODS = ("get", "post", "patch", "delete")
_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_CODE = re.compile(r"`([^`]+)`")
TAGS = {
    "jobs": "Jobs",
    "errors": "Errors",
    "logs": "Logs",
    "flows": "Flows",
    "pipelines": "Pipelines",
    "queues": "Queues",
    "schedules": "Schedules",
    "workers": "Pools and workers",
    "events": "Events",
    "access": "Access",
    "cleanup": "Clean-up",
    "health": "Health",
}


def _words(text: str) -> Markup:
    """The text, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped


_templates.filters["words"] = _words


def docs_router(handlers: tuple[ControllerRouterHandler, ...]) -> Router:
    """The routes that describe the calls of these handlers."""

    @get("/openapi.json", opt=PUBLIC, sync_to_thread=True)
    def description(deck: AtDeck) -> Response[bytes]:
        """The OpenAPI description of the API."""
        schema = _describe(deck.base_path, handlers)
        return Response(msgspec.json.encode(schema), media_type=MediaType.JSON)

    @get("/docs", opt=PUBLIC, sync_to_thread=True)
    def page(deck: AtDeck) -> Response[str]:
        """All calls, to be read."""
        html = _page(deck.base_path, handlers)
        return Response(html, media_type=MediaType.HTML)

    @get("/docs/style.css", opt=PUBLIC, sync_to_thread=False)
    def style() -> Response[str]:
        """How the page looks."""
        text = (_HERE / "static" / "docs.css").read_text()
        return Response(text, media_type=MediaType.CSS)

    return Router("/api", route_handlers=[description, page, style], include_in_schema=False)


def _describe(base_path: str, handlers: tuple[ControllerRouterHandler, ...]) -> dict[str, Any]:
    # Only here: few ask for it, and everybody would wait for the import at the start.
    from jobdeck.api import openapi

    return openapi.describe(base_path, handlers)


@cache
def _page(base_path: str, handlers: tuple[ControllerRouterHandler, ...]) -> str:
    schema = _describe(base_path, handlers)
    groups: dict[str, list[dict[str, Any]]] = {tag: [] for tag in TAGS}
    for path, calls in schema["paths"].items():
        for method in _METHODS:
            if method in calls:
                tag = (calls[method].get("tags") or ["health"])[0]
                groups[tag].append(_call(schema, path, method, calls[method]))
    return _templates.get_template("docs.html").render(
        base_path=base_path,
        about=schema["info"]["description"],
        version=schema["info"]["version"],
        groups=[(TAGS[tag], calls) for tag, calls in groups.items() if calls],
        shapes={
            name: _fields(shape) for name, shape in sorted(schema["components"]["schemas"].items())
        },
        about_shapes={
            name: shape.get("description", "")
            for name, shape in schema["components"]["schemas"].items()
        },
    )


def _call(schema: dict[str, Any], path: str, method: str, call: dict[str, Any]) -> dict[str, Any]:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {})
    return {
        "id": call["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": call["summary"],
        "description": call["description"],
        "role": call.get("x-role", ""),
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "type": _type(parameter["schema"]),
                "required": parameter["required"],
                "default": parameter["schema"].get("default"),
                "about": parameter.get("description", ""),
            }
            for parameter in call.get("parameters", [])
        ],
        "body": _type(body["schema"]) if body else "",
        "fields": _fields(_resolve(schema, body["schema"])) if body else [],
        "responses": [
            (code, found["description"], _content(found))
            for code, found in sorted(call["responses"].items())
        ],
        "curl": _curl(path, method, has_body=bool(body)),
    }


def _content(response: dict[str, Any]) -> str:
    for found in response.get("content", {}).values():
        return _type(found.get("schema", {}))
    return ""


def _curl(path: str, method: str, *, has_body: bool) -> str:
    parts = ["curl"]
    if method != "get":
        parts.append(f"-X {method.upper()}")
    parts.append('-H "Authorization: Bearer $JOBDECK_TOKEN"')
    if has_body:
        parts.append("-d '{}'")
    return " ".join([*parts, f'"$JOBDECK_URL{path}"'])


def _resolve(schema: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    name = found.get("$ref", "").rpartition("/")[2]
    resolved: dict[str, Any] = schema["components"]["schemas"].get(name, found)
    return resolved


def _fields(shape: dict[str, Any]) -> list[dict[str, Any]]:
    required = shape.get("required", [])
    return [
        {
            "name": name,
            "type": _type(field),
            "required": name in required,
            "default": json.dumps(field["default"]) if "default" in field else "",
            "about": _about(field),
        }
        for name, field in shape.get("properties", {}).items()
    ]


def _about(field: dict[str, Any]) -> str:
    kinds = [field, *field.get("anyOf", ())]
    return next((kind["description"] for kind in kinds if "description" in kind), "")


def _type(schema: dict[str, Any]) -> str:
    """A type in few words; names of shapes stand as they are."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(kind) for kind in schema[key]))
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format", kind))
