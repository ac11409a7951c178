"""What a database's own error means for the user."""

from pathlib import Path

from sqlalchemy.exc import DBAPIError

from jobdeck.domain.errors import StoreCorrupt, StoreError, StoreUnreachable, StoreVersion

_CORRUPT = ("malformed", "not a database", "corrupt")
_SCHEMA = ("no such table", "no such column", "has no column", "undefinedtable", "undefinedcolumn")
_CAUSES = (
    # First: what PostgreSQL tells of it speaks of "blocked by", too.
    ("deadlock detected", "it is busy with conflicting changes; try again"),
    ("could not serialize", "it is busy with conflicting changes; try again"),
    ("database or disk is full", "the disk is full; free some space"),
    ("readonly database", "it is read-only; check the owner and mode of the file and its folder"),
    ("readonly directory", "its folder is read-only; check the owner and mode of it"),
    ("attempt to write a readonly", "it is read-only; check the mode of the file and its folder"),
    ("unable to open", "its file cannot be opened; check the owner and mode of it and its folder"),
    ("locked", "another process holds its lock for too long; see who has it open"),
    ("disk i/o error", "the disk reports an error or takes no writes; see the system's log"),
    ("no space left", "the disk is full; free some space"),
    ("too many clients", "the database has no connection left; raise its max_connections"),
    ("remaining connection slots", "the database has no connection left; raise max_connections"),
    ("queuepool limit", "this process uses all its connections; ask for less at once"),
    ("password authentication", "the database refused the password; check the address"),
    ("no pg_hba.conf entry", "the database refuses this host or user; see its pg_hba.conf"),
    ("read-only transaction", "the database is read-only; is it a standby?"),
    ("idle-in-transaction", "a transaction rested for too long, so the database ended it"),
)

_UNKNOWN = " Whether the last change was made is not known: look before you make it again."


def is_busy(error: BaseException) -> bool:
    """Whether SQLite says that another connection holds the lock."""
    text = str(error).lower()
    return "database is locked" in text or "database table is locked" in text


def is_operational(error: BaseException) -> bool:
    """Whether it is about the database itself, not about what was asked of it."""
    return "OperationalError" in {kind.__name__ for kind in type(error).__mro__}


def is_deadlock(error: BaseException) -> bool:
    """Whether PostgreSQL ended the statement because two transactions waited for each other."""
    return "deadlock detected" in str(error).lower()


def explain(
    error: Exception, store: str, path: Path | None = None, *, sent: bool = False
) -> StoreError:
    """The error that tells a user what to do about it. `path` is the file of a SQLite store. A
    change that was `sent` may have been made though its answer was lost."""
    cause = _original(error)
    while "connection is lost" in str(cause) and cause.__context__ is not None:
        # That of rolling back hides why it was lost.
        cause = _original(cause.__context__)
    text = str(cause).strip()
    lower = f"{type(cause).__name__} {text}".lower()
    if any(word in lower for word in _CORRUPT):
        return StoreCorrupt(
            f"The store {store} is damaged or not a Jobdeck store ({text}). Restore a backup, or "
            "name another file with --store."
        )
    if any(word in lower for word in _SCHEMA):
        return StoreVersion(
            f"The store {store} is not set up for this version of Jobdeck; run: jobdeck db migrate"
        )
    if path and "unable to open" in lower and _gone(path):
        return _missing(store, path)
    for word, meaning in _CAUSES:
        if word in lower:
            return StoreUnreachable(f"The store {store} cannot be used: {meaning}.")
    if is_operational(cause):
        first = text.splitlines()[0] if text else "no reason given"
        return StoreUnreachable(
            f"The store {store} cannot be reached: {first}. Check its address and that the "
            "database runs." + (_UNKNOWN if sent else "")
        )
    return StoreError(f"The store {store} refused a statement: {text}")


def _original(error: BaseException) -> BaseException:
    """The error of the driver that SQLAlchemy has wrapped."""
    return error.orig if isinstance(error, DBAPIError) and error.orig else error


def _gone(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError:
        return False  # hidden from this user


def _missing(store: str, path: Path) -> StoreUnreachable:
    if _gone(path.parent):
        return StoreUnreachable(
            f"The store {store} cannot be used: the folder {path.parent} does not exist. Create "
            "it, or name another file with --store."
        )
    return StoreUnreachable(
        f"There is no store at {path}. Create it with: jobdeck db migrate; or name another file "
        "with --store."
    )
