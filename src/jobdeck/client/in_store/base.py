"""What every part of the backend over a store shares."""

from jobdeck.actions.creation import Recipes
from jobdeck.domain.roles import Actor
from jobdeck.store.database import Store


class InStoreBase:
    """A store, and who the audit names for what is changed in it."""

    def __init__(self, store: Store, actor: Actor) -> None:
        self.store = store
        self.actor = actor
        self._recipes = Recipes()

    def close(self) -> None:
        """Let go of the connections."""
        self.store.close()
