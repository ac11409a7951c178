"""What forms are made of, and what they say."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, structs

from jobdeck.domain.errors import InvalidValue

Answers = dict[str, str]
"""What a form says; of a repeated field, the last."""

REASON_HINT: Final = "It stands in the audit, beside your name."


class Field(Struct, kw_only=True):
    """One field of a form. `kind` is an input's type, or area, select, check or choice; a heading
    is none, but stands above some. Those with `more` are folded away until somebody wants them."""

    name: str
    label: str
    kind: str = "text"
    value: Any = ""
    hint: str = ""
    required: bool = False
    options: list[tuple[str, str]] = []
    step: str = ""
    rows: int = 3
    suggestions: list[str] = []
    more: bool = False


def number_field(
    name: str, label: str, value: object = None, hint: str = "", *, step: str = "1", **more: Any
) -> Field:
    """Asks for a whole number, or for any with the step `any`; None: it is empty."""
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return Field(name=name, label=label, kind="number", step=step, value=text, hint=hint, **more)


def reason_field(given: Answers, *, required: bool) -> Field:
    """Asks why."""
    return Field(
        name="reason",
        label="Reason",
        value=given.get("reason", ""),
        hint=REASON_HINT,
        required=required,
    )


def again_from_field(first: str) -> Field:
    """Asks where a further attempt goes on; `first` says where it does by itself."""
    return Field(
        name="from",
        label="Where to go on",
        kind="choice",
        value="failed_step",
        options=[("failed_step", first), ("start", "From the start")],
    )


def refill(fields: Sequence[Field], given: Answers) -> list[Field]:
    """The fields with what was answered before, if anything was."""
    return [_refill(field, given) for field in fields] if given else list(fields)


def _refill(field: Field, given: Answers) -> Field:
    value: Any = given.get(field.name, "")
    return structs.replace(field, value=value == "true" if field.kind == "check" else value)


def reason(given: Answers, *, required: bool) -> str:
    """The reason, which a destructive deed must have.

    Raises:
        InvalidValue: there is none.
    """
    text = given.get("reason", "").strip()
    if required and not text:
        raise InvalidValue("reason", "say why, in a few words")
    return text


def whole(given: Answers, name: str) -> int | None:
    """The whole number of a field; None: it is empty.

    Raises:
        InvalidValue: it is none.
    """
    text = given.get(name, "").strip()
    try:
        return int(text) if text else None
    except ValueError:
        raise InvalidValue(name, f"{text!r} is not a whole number") from None


def number(given: Answers, name: str) -> float | None:
    """The number of a field; None: it is empty.

    Raises:
        InvalidValue: it is none.
    """
    text = given.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise InvalidValue(name, f"{text!r} is not a number") from None
