"""The names that people give to flows, pipelines and queues, and other texts of theirs."""

import re

from jobdeck.domain.errors import InvalidValue

NAME = r"^\w[\w.-]{0,99}$"
"""1 to 100 letters, digits, '_', '-' and '.': what fits into an address and a file name."""

RESERVED = frozenset({"all"})
"""Stands for every one of them."""

OWN = "jobdeck."
"""Names that begin so are those of Jobdeck's own work."""

WRONG = "will not do; use 1 to 100 letters, digits, '_', '-' and '.'"

_NAME = re.compile(NAME)


def check_name(text: str, field: str) -> str:
    """The name, if it is one.

    Raises:
        InvalidValue: it is not; the error names `field`.
    """
    if not _NAME.fullmatch(text):
        raise InvalidValue(field, f"{text!r} {WRONG}")
    if text.lower() in RESERVED:
        raise InvalidValue(field, f"{text!r} stands for every one of them; take another name")
    if text.startswith(OWN):
        raise InvalidValue(
            field, f"{text!r} will not do; names that begin with {OWN} are Jobdeck's own"
        )
    return text


def check_text(text: str, field: str) -> str:
    """The text, if both databases can keep it.

    Raises:
        InvalidValue: it holds a NUL character, or bytes that are no UTF-8, as Python hands them
            on from command lines; the error names `field`.
    """
    if "\0" in text:
        raise InvalidValue(field, "holds a NUL character; remove it")
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(field, "holds what is no text in UTF-8; remove it") from None
    return text
