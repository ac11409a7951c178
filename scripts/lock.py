"""Writes the lock files: names, versions and hashes, and no address of any registry.

`python -m scripts.lock` keeps what is locked and fits; `--upgrade` takes the newest.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from hatchling.builders.constants import EDITABLES_REQUIREMENT

import hatch_build

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
ADDRESS = re.compile(r"\w+://|^-|^[.~]?/|\bfile:", re.MULTILINE)
PEERS = {
    "celery": ["celery[redis]", "hiredis"],
    "pgqueuer": ["pgqueuer[asyncpg]", "uvloop"],
}
"""What the benchmarks compare with, each in an environment of its own."""


def main() -> None:
    """Write every lock file and check them."""
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = [*project["build-system"]["requires"], EDITABLES_REQUIREMENT]
    runtime = ["pyproject.toml", "--extra", "postgres"]
    dev = [*runtime, "--group", "dev", "--constraint", "requirements/runtime.txt"]
    shared = ["-", "--constraint", "requirements/dev.txt"]

    compile_lock("runtime.txt", [*runtime, *upgrade])
    compile_lock("dev.txt", [*dev, *upgrade])
    compile_lock("build.txt", [*shared, *upgrade], build)
    compile_lock("node.txt", [*shared, *upgrade], [hatch_build.NODE])
    for name, requirements in PEERS.items():
        compile_lock(f"bench-{name}.txt", ["-", *upgrade], requirements)
    lock_npm()
    for lock in [*sorted(LOCKS.glob("*.txt")), ROOT / "package-lock.json"]:
        if found := ADDRESS.search(lock.read_text()):
            sys.exit(f"{lock.relative_to(ROOT)} holds an address, option or path: {found[0]!r}")
        print(f"{lock.relative_to(ROOT)}: locked")


def compile_lock(name: str, arguments: list[str], requirements: list[str] | None = None) -> None:
    """Compile one lock file for all systems and Python versions that the project supports."""
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"]
    command += ["--output-file", str(Path("requirements") / name), *arguments]
    text = "\n".join(requirements or [])
    subprocess.run(command, cwd=ROOT, input=text, text=True, check=True)


def lock_npm() -> None:
    """Write package-lock.json, without the funding addresses that npm copies into it."""
    command = [*hatch_build.npm_command(), "install", "--package-lock-only"]
    subprocess.run(command, cwd=ROOT, check=True)
    path = ROOT / "package-lock.json"
    lock = json.loads(path.read_text())
    for package in lock["packages"].values():
        package.pop("funding", None)
        package.pop("resolved", None)
    path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
