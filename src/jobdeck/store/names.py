"""Finding things by the names that people give them."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from jobdeck.domain.errors import NotFound
from jobdeck.store.database import once
from jobdeck.store.tables import flows, pipelines


class FlowName(NamedTuple):
    """A flow's number and name, its pipeline's name, and whether the flow was removed."""

    id: int
    name: str
    pipeline: str
    removed: bool


_FLOWS = (
    select(flows.c.id, flows.c.name, pipelines.c.name, flows.c.removed_at.is_not(None))
    .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
    .order_by(flows.c.id)
)


def known_flows(conn: Connection) -> list[FlowName]:
    """Every flow by number, also those that were removed."""
    return once(conn, "flows", lambda: [FlowName._make(row) for row in conn.execute(_FLOWS)])


def missing(kind: str, name: str, known: Iterable[str]) -> NotFound:
    """The error for a name that there is none of, with the nearest one that there is."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return NotFound(kind, name, f"Did you mean {near[0]!r}?")
    if known and len(known) <= 8:
        return NotFound(kind, name, f"There are: {', '.join(sorted(known))}.")
    return NotFound(kind, name)
