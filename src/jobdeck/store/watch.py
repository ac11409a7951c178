"""Whether anybody has committed something, asked cheaply and often."""

from typing import Any

from jobdeck.store.database import Store


class CommitWatch:
    """SQLite tells in a microsecond; of PostgreSQL it always says that somebody may have.

    For one thread at a time. Commits of this process count too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: Any = None
        self._version: Any = None

    def committed(self) -> bool:
        """Whether something was committed since the last call; true at the first one."""
        if not self._store.sqlite:
            return True
        if self._connection is None:
            self._connection = self._store.reader.raw_connection()
            self._connection.detach()
        version = self._connection.dbapi_connection.execute("PRAGMA data_version").fetchone()
        changed = bool(version != self._version)
        self._version = version
        return changed

    def close(self) -> None:
        """Let go of its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
