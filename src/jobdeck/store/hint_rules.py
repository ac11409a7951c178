"""The rules by which errors get hints."""

from sqlalchemy import Connection, delete, func, insert, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import HintRule
from jobdeck.store.tables import hint_rules
from jobdeck.store.values import is_number


def all(conn: Connection) -> list[HintRule]:  # noqa: A001
    """Every rule, the oldest first."""
    query = select(hint_rules).order_by(hint_rules.c.id)
    return [
        HintRule(
            id=row.id,
            pattern=row.pattern,
            hint=row.hint,
            link=row.link,
            created_at=row.created_at,
        )
        for row in conn.execute(query)
    ]


def count(conn: Connection) -> int:
    """How many there are; never many."""
    return int(conn.execute(select(func.count()).select_from(hint_rules)).scalar_one())


def get(conn: Connection, rule_id: int) -> HintRule:
    """The rule of that number.

    Raises:
        NotFound: there is none.
    """
    for rule in all(conn) if is_number(rule_id) else ():
        if rule.id == rule_id:
            return rule
    raise NotFound("hint", rule_id)


def add(conn: Connection, pattern: str, hint: str, link: str, now: Micros) -> int:
    """A new rule, behind the others; gives its number."""
    values = {"pattern": pattern, "hint": hint, "link": link, "created_at": now}
    key = conn.execute(insert(hint_rules).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def remove(conn: Connection, rule_id: int) -> None:
    """Take it away."""
    conn.execute(delete(hint_rules).where(hint_rules.c.id == rule_id))
