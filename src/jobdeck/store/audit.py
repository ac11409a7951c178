"""Who asked for which change, when and why."""

from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import PAGE, PAGE_MAX
from jobdeck.domain.records import AuditRow
from jobdeck.domain.roles import Actor
from jobdeck.store.tables import audit
from jobdeck.store.values import NUMBER_MAX, AnyRow, clean, decode, encode_or_none


def add(
    conn: Connection,
    *,
    at: Micros,
    actor: Actor,
    action: str,
    target: str,
    reason: str = "",
    detail: Any = None,
) -> int:
    """Record a change in the transaction that makes it, and give the row's number."""
    statement = insert(audit).values(
        at=at,
        actor=clean(actor.name),
        actor_kind=actor.kind,
        role=actor.role.name.lower(),
        action=action,
        target=clean(target),
        reason=clean(reason),
        detail=encode_or_none(detail),
    )
    key = conn.execute(statement).inserted_primary_key
    assert key is not None
    return int(key[0])


def amend(conn: Connection, row_id: int, detail: Any) -> None:
    """Bring the row of a change that is made in several transactions up to date."""
    conn.execute(update(audit).where(audit.c.id == row_id).values(detail=encode_or_none(detail)))


def oldest(conn: Connection, target: str, action: str) -> int | None:
    """The number of the first row that tells of that action on that target."""
    found: int | None = conn.execute(
        select(func.min(audit.c.id)).where(audit.c.target == target, audit.c.action == action)
    ).scalar()
    return found


def find(
    conn: Connection,
    *,
    target: str = "",
    limit: int = PAGE,
    before: int | None = None,
) -> list[AuditRow]:
    """The newest rows first, about one target or all, from below the number `before`."""
    query = select(audit).order_by(audit.c.id.desc()).limit(min(limit, PAGE_MAX))
    if target:
        query = query.where(audit.c.target == target)
    if before is not None:
        query = query.where(audit.c.id < min(before, NUMBER_MAX))
    return [_record(row) for row in conn.execute(query)]


def _record(row: AnyRow) -> AuditRow:
    return AuditRow(
        id=row.id,
        at=row.at,
        actor=row.actor,
        actor_kind=row.actor_kind,
        role=row.role,
        action=row.action,
        target=row.target,
        reason=row.reason,
        detail=decode(row.detail),
    )
