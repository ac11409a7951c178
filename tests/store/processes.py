"""Programs in processes of their own, run beside a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(program: str, *arguments: str, user: int | None = None) -> subprocess.Popen[str]:
    """Start Python with that program; it says what it has to on standard output."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        user=user,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for its end, which must be a good one, and give what it said."""
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    return out.strip()


def line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let it go on, if it waits for a line."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
