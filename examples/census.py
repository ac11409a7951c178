"""Fanning out: a job that makes a child job for each installed package, then sums them up.

A parent that waits for its children holds no worker, so any number of parents can wait while
few workers do the counting. On the page the children are folded under their parent.

    jobdeck run census
"""

import csv
import re
from collections import Counter
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

from jobdeck import Context, Fail, Pipeline, job

CODE = (".py", ".pyi")


@job(queue="census")
def count_package(ctx: Context, package: str) -> dict[str, Any]:
    """Count the files, lines and bytes of one installed package."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise Fail(
            f"{package} is not installed here",
            hint=f"Install it where the workers run: pip install {package}",
        ) from None
    files = lines = size = 0
    for name in found.files or []:
        path = Path(str(name.locate()))
        if path.suffix not in CODE or not path.is_file():
            ctx.counts.add(read=1, filtered=1)
            continue
        content = path.read_bytes()
        files += 1
        lines += content.count(b"\n")
        size += len(content)
        ctx.counts.add(read=1, written=1)
    return {
        "package": package,
        "version": found.version,
        "licence": licence(found.metadata),
        "files": files,
        "lines": lines,
        "bytes": size,
    }


census = Pipeline(
    "census",
    doc="Count the code of all installed packages, a child job for each.",
    queue="census",
    every="30m",
)


@census.step
def fan_out(ctx: Context) -> int:
    """Make a child job for each package."""
    # The children run once this step is done, and the next step begins when the last of them
    # has ended. If this step is tried again, no child is made twice.
    return ctx.map(count_package, [{"package": name} for name in names()])


@census.step
def sum_up(ctx: Context, packages: int) -> dict[str, Any]:
    """Add up what the children found, and keep the table as a file."""
    rows: list[dict[str, Any]] = []
    for child in ctx.children():
        if child.status == "completed":
            rows.append(child.result)
        else:
            # One child that failed does not fail the parent: what to make of it is decided here.
            ctx.log.warning(f"job {child.id} {child.status}: {child.error}", params=child.params)
        ctx.progress(len(rows), packages)
    if not rows:
        raise Fail("no package could be counted", hint="The logs of the children say why.")
    rows.sort(key=lambda row: int(row["lines"]), reverse=True)
    with ctx.files.open("census.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    licences = Counter(row["licence"] for row in rows)
    return {
        "packages": len(rows),
        "lines": sum(row["lines"] for row in rows),
        "largest": [row["package"] for row in rows[:5]],
        "licences": dict(licences.most_common(8)),
    }


def names() -> list[str]:
    """The installed packages, always in the same order."""
    return sorted({package.name for package in distributions()}, key=str.lower)


def licence(metadata: PackageMetadata) -> str:
    """The licence that the package states: an SPDX expression, a classifier or a short text."""
    stated = metadata.json
    if expression := stated.get("license_expression"):
        return str(expression)
    for classifier in stated.get("classifier", []):
        if match := re.search(r"^License :: (?:OSI Approved :: )?(.+)", classifier):
            return match[1]
    text = str(stated.get("license", "")).strip()
    return text.splitlines()[0][:60] if text else "not stated"
