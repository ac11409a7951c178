"""Refusing query parameters that nobody reads: a mistyped filter must not list everything."""

from functools import cache
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.utils.signature import ParsedSignature

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.names import check_text


def known_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: pass only the query parameters that the handler takes, and only plain text.

    Raises:
        InvalidValue: names the first other one, or one that holds a NUL character.
    """
    known = _names(handler)
    for name, value in connection.query_params.multi_items():
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise InvalidValue(name, f"no such parameter of this address; there are: {there}")
        check_text(str(value), name)
    for name, value in connection.path_params.items():
        check_text(str(value), name)


@cache
def _names(handler: BaseRouteHandler) -> frozenset[str]:
    own = handler.parsed_fn_signature
    found = _query(own)
    for name, provider in handler.resolve_dependencies().items():
        if name in own.parameters:
            found |= _query(provider.parsed_fn_signature)
    return frozenset(found)


def _query(signature: ParsedSignature) -> set[str]:
    names = set()
    for name, parameter in signature.parameters.items():
        kwarg = parameter.kwarg_definition
        if isinstance(kwarg, QueryParameter):
            names.add(kwarg.name or name)
    return names
