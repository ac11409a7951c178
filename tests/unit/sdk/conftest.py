from collections.abc import Iterator

import pytest

from jobdeck.sdk import registry


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """Each test defines pipelines of its own."""
    with registry.isolated():
        yield
