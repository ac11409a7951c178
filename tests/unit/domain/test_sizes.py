"""Amounts of memory."""

import pytest

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MB", 512_000_000), ("1.5 gb", 1_500_000_000), ("2GiB", 2 << 30), ("4000 kB", 4_000_000)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text, "memory") == size


@pytest.mark.parametrize("text", ["", "512", "-1MB", "1kB", "many", "1e9MB", "9999999TB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="memory"):
        parse_size(text, "memory")


def test_sizes_are_told() -> None:
    assert format_size(1_612_400_000) == "1,612 MB"
