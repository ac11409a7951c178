"""The files that pages load: their addresses carry a digest, so browsers keep them for ever."""

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from jobdeck.domain.errors import NotFound

STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@cache
def digest(name: str) -> str:
    """A short digest of the file's content; empty if it is missing."""
    try:
        return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    except OSError:
        return ""


def find(name: str) -> tuple[Path, str]:
    """The file of that name under `static`, and its media type.

    Raises:
        NotFound: there is none.
    """
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file():
        raise NotFound("file", name)
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return path, kind or "application/octet-stream"
