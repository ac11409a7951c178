"""Runs, shows and controls jobs: a job service and a dashboard over it.

Importing this is cheap; each name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobdeck.client import Client as Client
    from jobdeck.domain.errors import Duplicate as Duplicate
    from jobdeck.domain.errors import JobdeckError as JobdeckError
    from jobdeck.domain.retry import RetryPolicy as RetryPolicy
    from jobdeck.domain.uniqueness import Kept as Kept
    from jobdeck.sdk.children import ChildResult as ChildResult
    from jobdeck.sdk.context import Context as Context
    from jobdeck.sdk.control import Fail as Fail
    from jobdeck.sdk.control import NoItems as NoItems
    from jobdeck.sdk.control import Retry as Retry
    from jobdeck.sdk.control import Skip as Skip
    from jobdeck.sdk.control import StopRequested as StopRequested
    from jobdeck.sdk.pipeline import Pipeline as Pipeline
    from jobdeck.sdk.pipeline import job as job

__version__ = "0.1.0"

_HOMES = {
    "ChildResult": "jobdeck.sdk.children",
    "Client": "jobdeck.client",
    "Context": "jobdeck.sdk.context",
    "Duplicate": "jobdeck.domain.errors",
    "Fail": "jobdeck.sdk.control",
    "JobdeckError": "jobdeck.domain.errors",
    "Kept": "jobdeck.domain.uniqueness",
    "NoItems": "jobdeck.sdk.control",
    "Pipeline": "jobdeck.sdk.pipeline",
    "Retry": "jobdeck.sdk.control",
    "RetryPolicy": "jobdeck.domain.retry",
    "Skip": "jobdeck.sdk.control",
    "StopRequested": "jobdeck.sdk.control",
    "job": "jobdeck.sdk.pipeline",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jobdeck' has no attribute {name!r}")
    from jobdeck.sdk import transport

    transport.provide(_default_transport)
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def _default_transport() -> Any:
    from jobdeck.client.default import default_transport

    return default_transport()
