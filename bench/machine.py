"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from jobdeck.store import sqlite


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe() -> list[str]:
    """Lines about the machine and the versions in use."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, {platform.platform()}",
        f"Python {platform.python_version()}, SQLite {sqlite.module().sqlite_version}",
        f"SQLAlchemy {version('sqlalchemy')}, msgspec {version('msgspec')}",
    ]
