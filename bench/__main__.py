"""Runs the measurements and writes `bench/RESULTS.md`: `python -m bench [PART ...]`.

A part that is not asked for keeps what the page says of it, with the time it was measured at.
How long pages take is measured by `bench.pages`, on a store with much history.
"""

import argparse
import re
import time
from pathlib import Path

from bench import beside, live, machine, operate, scale, where

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS = {
    "beside": ("Beside peers", beside.measure),
    "scale": ("How it scales", scale.measure),
    "operate": ("What operators ask for at once", operate.measure),
    "where": ("Where the time goes", where.measure),
    "live": ("Open pages", live.table),
}
HEAD = """# Measured

By `make bench`. The machine is shared, so ratios say more than figures.
"""


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is named")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for part in options.parts or PARTS:
        title, measure = PARTS[part]
        lines = [f"## {title}", "", f"{time.strftime('%Y-%m-%d')}:", ""]
        lines += [*(f"- {line}" for line in machine.describe()), "", *measure(options.runs)]
        write(title, "\n".join(lines))
        print("\n".join(lines))


def write(title: str, section: str) -> None:
    """Put a section into the page in place of the one of that title."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    known = dict(re.findall(r"^(## (.+?)\n.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    sections = {name: body for body, name in known.items()} | {title: section + "\n"}
    order = [name for name, _ in PARTS.values()]
    order += [name for name in sections if name not in order]
    body = "\n".join(sections[name].rstrip() + "\n" for name in order if name in sections)
    RESULTS.write_text(f"{HEAD}\n{body}")


if __name__ == "__main__":
    main()
