"""What a database's own error means for the user."""

from sqlalchemy.exc import DBAPIError, OperationalError

from jobdeck.domain.errors import StoreCorrupt, StoreError, StoreUnreachable

_CORRUPT = ("malformed", "not a database", "corrupt")
_CAUSES = (
    ("database or disk is full", "the disk is full; free some space"),
    ("readonly database", "it is read-only; check the owner and mode of the file and its folder"),
    ("attempt to write a readonly", "it is read-only; check the mode of the file and its folder"),
    ("unable to open", "its file cannot be opened; check that the folder exists and may be written"),
    ("database is locked", "another process holds its lock for too long; see who has it open"),
    ("disk i/o error", "the disk reports an error; see the system's log"),
    ("no space left", "the disk is full; free some space"),
)


def is_busy(error: BaseException) -> bool:
    """Whether SQLite says that another connection holds the lock."""
    text = str(error).lower()
    return "database is locked" in text or "database table is locked" in text


def explain(error: DBAPIError, store: str) -> StoreError:
    """The error that tells a user what to do about it."""
    text = str(error.orig).strip()
    lower = text.lower()
    if any(word in lower for word in _CORRUPT):
        return StoreCorrupt(
            f"The store {store} is damaged or not a Jobdeck store ({text}). Restore a backup, or "
            "name another file with --store."
        )
    for word, cause in _CAUSES:
        if word in lower:
            return StoreUnreachable(f"The store {store} cannot be used: {cause}.")
    if isinstance(error, OperationalError):
        first = text.splitlines()[0] if text else "no reason given"
        return StoreUnreachable(
            f"The store {store} cannot be reached: {first}. Check its address and that the "
            "database runs."
        )
    return StoreError(f"The store {store} refused a statement: {text}")
