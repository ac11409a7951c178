"""Figures as the results page shows them."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float]) -> str:
    """The median, and the lowest and highest where there are several."""
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """A figure with its thousands apart; small ones with what matters of their fraction."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def millis(seconds: Sequence[float]) -> str:
    """50th, 95th and 99th percentile in milliseconds."""
    return " / ".join(f"{percentile(seconds, q) * 1000:.2f}" for q in (0.5, 0.95, 0.99))


def percentile(values: Sequence[float], quantile: float) -> float:
    """The value that so large a part lies below."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)]


def ratio(ones: Sequence[float], others: Sequence[float]) -> str:
    """How many times the one is the other, run by run: the median."""
    return f"{statistics.median(a / b for a, b in zip(ones, others, strict=True)):.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], f"|{'---|' * len(head)}", *lines[1:], ""]
