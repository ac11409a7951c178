"""Creating jobs straight in a store."""

from collections.abc import Sequence
from typing import Any

from jobdeck.actions.creation import Origin, Recipes, create_many, create_within
from jobdeck.client.opening import local_actor
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store.borrowed import Borrower
from jobdeck.store.database import Store


class StoreTransport:
    """`enqueue()` into a store; see `sdk.transport.Transport`. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recipes = Recipes()
        self._borrower = Borrower(store)
        self._origin = Origin(source="sdk", created_by=local_actor().name)

    def enqueue(
        self, items: Sequence[EnqueueItem], manifest: PipelineManifest | None = None
    ) -> list[int]:
        """Create the jobs, all of them or none; gives their numbers in order.

        Raises:
            NotFound: no such flow, and no manifest to make it from.
            WrongState: the pipeline is not published.
            InvalidValue: parameters do not fit the published version's schema.
            StoreError: the store cannot be used.
        """
        return create_many(self._store, items, self._origin, self._recipes, manifest=manifest)

    def enqueue_within(
        self,
        connection: Any,
        items: Sequence[EnqueueItem],
        manifest: PipelineManifest | None = None,
    ) -> list[int]:
        """The same in the transaction that a connection to the store's database is in: one of
        SQLAlchemy, psycopg or sqlite3.

        Raises:
            InvalidValue: it is none of these, or leads to another database; or as `enqueue`.
            WrongState: it commits each statement by itself; or as `enqueue`.
            NotFound, Duplicate, StoreError: as `enqueue`.
        """
        return create_within(
            *(self._borrower, connection, self._store, items, self._origin, self._recipes),
            manifest=manifest,
        )

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
