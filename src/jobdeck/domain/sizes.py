"""Amounts of memory as people write them: 512MB, 2 GB."""

import re

from jobdeck.domain.errors import InvalidValue

LEAST = 1_000_000
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)b", re.IGNORECASE)
_POWERS = "kmgt"


def parse_size(text: str, field: str) -> int:
    """The number of bytes: 512MB is 512,000,000, and 512MiB is 536,870,912.

    Raises:
        InvalidValue: it is no amount, or less than 1 MB; names `field`.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidValue(field, f"{text!r} is no amount of memory; write it such as 512MB or 2GB")
    unit = found[2].lower()
    base = 1024.0 if unit[1:] else 1000.0
    size = round(float(found[1]) * base ** (_POWERS.index(unit[0]) + 1))
    if not LEAST <= size < 1 << 50:
        raise InvalidValue(field, f"{text!r} will not do; it is a memory limit from 1MB")
    return size


def format_size(count: float) -> str:
    """Whole megabytes, such as 612 MB."""
    return f"{count / 1e6:,.0f} MB"
