"""A pipeline of four steps: CSV files into a SQLite database, then a check of every row.

pip leaves a list of the files of each package in its RECORD: lines of path, hash and size, in
CSV. That is real data which every machine has: thousands of rows in dozens of files, and some
of the rows lack what they should hold. The pipeline loads them, compares each file on disk with
what the list says, and reports which packages are no longer as they were installed.

    jobdeck run inventory
    jobdeck run inventory -p pattern='lite*'
"""

import base64
import csv
import hashlib
import sqlite3
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from jobdeck import Context, NoItems, Pipeline

DATABASE = "inventory.db"


@dataclass
class InventoryParams:
    """What the job is asked. The page makes a form of it, and a value that does not fit is
    refused before a job exists."""

    pattern: str = "*"
    """Names of the packages to look at, such as "lite*"."""


class Line(NamedTuple):
    """A line of a RECORD as it stands there."""

    package: str
    folder: str
    path: str
    hash: str
    size: str


class Entry(NamedTuple):
    """A line that could be read."""

    package: str
    path: str
    sha256: str
    size: int


inventory = Pipeline(
    "inventory",
    doc="Check that every file of the installed packages is as it was installed.",
    queue="etl",
    params=InventoryParams,
    every="15m",
)


@inventory.step
def find(ctx: Context, pattern: str) -> dict[str, str]:
    """Find the lists: by package, the path of its RECORD.

    What a step returns is kept, as JSON, and handed to the next one. If a later step fails and
    the job is retried from there, this one is not run again.
    """
    found: dict[str, str] = {}
    for record in Path(sysconfig.get_path("purelib")).glob("*.dist-info/RECORD"):
        package = record.parent.name.split("-")[0]
        matches = fnmatch(package.lower(), pattern.lower())
        if matches:
            found[package] = str(record)
        ctx.counts.add(read=1, written=int(matches), filtered=int(not matches))
    if not found:
        # Not an error: the job completes, and its reason says that there was nothing to do.
        raise NoItems(f"no installed package is called like {pattern!r}")
    ctx.log.info("lists found", packages=len(found))
    return found


@inventory.step
def load(ctx: Context, records: dict[str, str]) -> int:
    """Load them into a SQLite database that the job keeps among its files."""
    with closing(sqlite3.connect(ctx.files.path(DATABASE))) as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS entries "
            "(package TEXT, path TEXT, sha256 TEXT, size INTEGER, PRIMARY KEY (package, path))"
        )
        # 500 lines at a time. `each` turns a line into a row; what it returns None for is
        # filtered, and where it raises the line is skipped. All of that is counted.
        #
        # The source must give the same lines in the same order each time: after a crash the
        # step goes on behind the last chunk that was committed. The chunk that was in hand may
        # come a second time, so writing it twice must do no harm. REPLACE sees to that.
        for entries in ctx.chunks(lambda: lines(records), size=500, each=parse, on_error="skip"):
            with db:
                db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", entries)
        count: int = db.execute("SELECT count(*) FROM entries").fetchone()[0]
    return count


# A step may have rules of its own: reading thousands of files can meet a disk that is away for
# a moment.
@inventory.step(retries=2, backoff="5s", retry_on=OSError)
def verify(ctx: Context, loaded: int) -> int:
    """Compare the files on disk with their hashes, and keep those that differ."""
    ctx.log.info("comparing", files=loaded)
    with closing(sqlite3.connect(ctx.files.path(DATABASE))) as db:
        db.execute("CREATE TABLE IF NOT EXISTS changed (path TEXT PRIMARY KEY, state TEXT)")
        # A list has a length, so the page can show how far the step is.
        rows = db.execute("SELECT * FROM entries ORDER BY package, path").fetchall()
        for changed in ctx.chunks([Entry(*row) for row in rows], size=200, each=changed_file):
            with db:
                db.executemany("INSERT OR REPLACE INTO changed VALUES (?, ?)", changed)
        count: int = db.execute("SELECT count(*) FROM changed").fetchone()[0]
    return count


@inventory.step
def report(ctx: Context, changed: int) -> dict[str, int]:
    """Write what was found as CSV, and sum it up."""
    with closing(sqlite3.connect(ctx.files.path(DATABASE))) as db:
        packages = db.execute(
            "SELECT package, count(*), sum(size) FROM entries GROUP BY package ORDER BY 3 DESC"
        ).fetchall()
        paths = db.execute("SELECT path, state FROM changed ORDER BY path").fetchall()
    with ctx.files.open("packages.csv", "w", newline="") as file:
        csv.writer(file).writerows([("package", "files", "bytes"), *packages])
    for path, state in paths[:20]:
        ctx.log.warning(f"{path} {state}")
    return {
        "packages": len(packages),
        "files": sum(files for _, files, _ in packages),
        "bytes": sum(size for _, _, size in packages),
        "changed": changed,
    }


def lines(records: dict[str, str]) -> Iterator[Line]:
    """Every line of the lists, always in the same order."""
    for package, record in sorted(records.items()):
        folder = str(Path(record).parent.parent)
        with Path(record).open(encoding="utf-8", newline="") as file:
            for path, digest, size in csv.reader(file):
                yield Line(package, folder, path, digest, size)


def parse(line: Line) -> Entry | None:
    """Read one line; None leaves it out.

    Raises:
        ValueError: it has no hash or no size, so there is nothing to compare with.
    """
    if line.path.endswith(".pyc"):
        # Made on this machine when the package was installed, so it is in nobody's list.
        return None
    algorithm, _, digest = line.hash.partition("=")
    if algorithm != "sha256":
        raise ValueError(f"{line.path} of {line.package} has no sha256")
    return Entry(line.package, str(Path(line.folder, line.path)), digest, int(line.size))


def changed_file(entry: Entry) -> tuple[str, str] | None:
    """The path and what is wrong with it; None for a file that is as it was."""
    try:
        with Path(entry.path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        return entry.path, "is gone"
    text = base64.urlsafe_b64encode(found).decode().rstrip("=")
    return None if text == entry.sha256 else (entry.path, "was changed")
