"""What a step counts of its items."""

from collections.abc import Callable

from jobdeck.domain.records import Counts


class Counter:
    """Counts of the running step; `ctx.chunks` keeps them by itself."""

    __slots__ = ("_changed", "commits", "filtered", "read", "rollbacks", "skipped", "written")

    def __init__(self, start: Counts | None, changed: Callable[[], None]) -> None:
        start = start or Counts()
        self.read = start.read
        self.written = start.written
        self.filtered = start.filtered
        self.skipped = start.skipped
        self.commits = start.commits
        self.rollbacks = start.rollbacks
        self._changed = changed

    def add(
        self,
        *,
        read: int = 0,
        written: int = 0,
        filtered: int = 0,
        skipped: int = 0,
        commits: int = 0,
        rollbacks: int = 0,
    ) -> None:
        """Count so many more."""
        self.read += read
        self.written += written
        self.filtered += filtered
        self.skipped += skipped
        self.commits += commits
        self.rollbacks += rollbacks
        self._changed()

    def snapshot(self) -> Counts:
        """As they are now."""
        return Counts(
            read=self.read,
            written=self.written,
            filtered=self.filtered,
            skipped=self.skipped,
            commits=self.commits,
            rollbacks=self.rollbacks,
        )
