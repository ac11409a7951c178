"""Opening the store that somebody named, or that lies where they are."""

import getpass
from pathlib import Path

from jobdeck.client.settings import Settings
from jobdeck.domain.errors import StoreUnreachable
from jobdeck.domain.roles import Actor, Role
from jobdeck.store import schema
from jobdeck.store.database import Store


def open_store(settings: Settings, *, create: bool) -> Store:
    """The store that the settings name, ready to be used.

    With `create` one that is not there is made, but only where it was named: never silently in
    whatever folder a program happens to run.

    Raises:
        StoreUnreachable: there is none, or it cannot be opened.
        StoreVersion: another version of Jobdeck made it.
    """
    store = Store(
        settings.store,
        durable=settings.durable,
        files=Path(settings.files) if settings.files else None,
    )
    try:
        found = schema.status(store)
        if found.current is None and not (create and "store" in settings.given):
            raise StoreUnreachable(
                f"There is no store at {store.name}. Start `jobdeck up` there, or name another "
                "one with JOBDECK_STORE."
            )
        # Whoever enqueues does not migrate what others use.
        schema.ensure(store, migrate=found.current is None)
    except BaseException:
        store.close()
        raise
    return store


def local_actor() -> Actor:
    """Who asks where nobody signs in: the user of this machine, who can open the store."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Actor(name, Role.ADMIN, "user")
