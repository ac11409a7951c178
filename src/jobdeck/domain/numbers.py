"""Numbers of things, as people and addresses write them."""

import re

from jobdeck.domain.errors import InvalidValue

DIGITS = 18
"""A longer number fits into no column of a store."""


def read(text: str) -> int | None:
    """The number that the text is; None: it is none that a thing could have."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


_OF_JOB = re.compile(r"#?([0-9]+|[0-9]{1,3}(?:[,\s][0-9]{3})+)")


def of_job(text: str) -> int | None:
    """The number of a job as people write it, `1234`, `#1234` or `1,234`; None: it is none."""
    found = _OF_JOB.fullmatch(text)
    return read(re.sub(r"[,\s]", "", found[1])) if found else None


def must_read(text: str, field: str) -> int:
    """The number that the text is.

    Raises:
        InvalidValue: it is none that a thing could have; the error names `field`.
    """
    number = read(text)
    if number is None:
        raise InvalidValue(field, f"{text!r} is not a number")
    return number


def read_if_any(text: str, field: str) -> int | None:
    """The number that the text is; None: it is empty.

    Raises:
        InvalidValue: it is none that a thing could have; the error names `field`.
    """
    return must_read(text, field) if text else None
