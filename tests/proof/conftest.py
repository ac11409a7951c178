"""A deck on each database."""

from tests.integration.engine.conftest import deck

__all__ = ["deck"]
