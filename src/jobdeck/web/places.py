"""The places that the navigation and the palette lead to, in their order."""

from collections.abc import Collection

from msgspec import Struct


class Place(Struct, frozen=True):
    """A page of the navigation: the noun by which it is known, its address and its name."""

    noun: str
    address: str
    name: str


PLACES = (
    Place("overview", "/", "Overview"),
    Place("jobs", "/jobs", "Jobs"),
    Place("queues", "/queues", "Queues"),
    Place("schedules", "/schedules", "Schedules"),
    Place("workers", "/workers", "Workers"),
    Place("pipelines", "/pipelines", "Pipelines"),
    Place("errors", "/errors", "Errors"),
    Place("logs", "/logs", "Logs"),
)


def served(paths: Collection[str]) -> list[Place]:
    """Those for which there is a page, so that no entry leads nowhere."""
    return [place for place in PLACES if place.address in paths]
