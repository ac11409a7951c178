"""Removing the bytes of files that no job has any more."""

import contextlib
from collections.abc import Sequence

from jobdeck.store.database import Store


def remove(store: Store, paths: Sequence[str]) -> None:
    """Remove these files, relative to the store's folder of files, and folders left empty.

    One that cannot be removed stays: the clean-up finds it again.
    """
    folder = store.files.resolve()
    for name in paths:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            while path.parent != folder:
                path = path.parent
                path.rmdir()
