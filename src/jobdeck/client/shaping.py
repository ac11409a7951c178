"""How a record of the domain becomes JSON, and JSON a record: by the fields that both have."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros


def when(at: Micros | None) -> datetime | None:
    """The time as JSON has it."""
    return None if at is None else clock.to_datetime(at)


def micros(at: datetime | None) -> Micros | None:
    """The time as the domain has it."""
    return None if at is None else clock.from_datetime(at)


class Shape(Struct):
    """Base of all of them: made of a record's fields of the same names."""

    RECORD: ClassVar[Any] = None

    @classmethod
    def of(cls, record: Any, **more: Any) -> Self:
        """The shape of that record, with fields of its own that the record lacks."""
        values = {name: read(getattr(record, name)) for name, read, _ in _plan(cls)}
        return cls(**{**values, **more})

    def record(self) -> Any:
        """The record of this shape."""
        plan = _plan(type(self))
        return self.RECORD(**{name: back(getattr(self, name)) for name, _, back in plan})


def _same(value: Any) -> Any:
    return value


def _shape_of(shape: type[Shape]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else shape.of(value)


def _record_of(value: Shape | None) -> Any:
    return None if value is None else value.record()


@cache
def _plan(shape: type[Shape]) -> list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    """For each field that the record has, too: its name, and how it is converted both ways."""
    known = {field.name for field in msgspec.structs.fields(shape.RECORD)}
    plan: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = []
    for name, hint in get_type_hints(shape).items():
        if name not in known:
            continue
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        kind = next(k for k in kinds if k is not NoneType)
        if kind is datetime:
            plan.append((name, when, micros))
        elif isinstance(kind, type) and issubclass(kind, Shape):
            plan.append((name, _shape_of(kind), _record_of))
        else:
            plan.append((name, _same, _same))
    return plan
