"""What a client works on: a store, or a server. Both have the same methods."""

from jobdeck.client.in_store.controls import ControlsInStore
from jobdeck.client.in_store.definitions import DefinitionsInStore
from jobdeck.client.in_store.jobs import JobsInStore
from jobdeck.client.in_store.many import ManyInStore
from jobdeck.client.over_http.controls import ControlsOverHttp
from jobdeck.client.over_http.definitions import DefinitionsOverHttp
from jobdeck.client.over_http.jobs import JobsOverHttp
from jobdeck.client.over_http.many import ManyOverHttp


class InStore(JobsInStore, ManyInStore, DefinitionsInStore, ControlsInStore):
    """The backend over a store; see `Client` for what each method does."""


class OverHttp(JobsOverHttp, ManyOverHttp, DefinitionsOverHttp, ControlsOverHttp):
    """The backend over a server; see `Client` for what each method does."""


Backend = InStore | OverHttp
