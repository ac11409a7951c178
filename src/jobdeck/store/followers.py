"""Which flows run after which others, and on what; see `domain.following`."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, delete, insert, or_, select

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.following import Outcome, find_cycle, text_of
from jobdeck.store.names import missing
from jobdeck.store.tables import flows, followers
from jobdeck.store.values import driver

_leader = flows.alias("leader")


def of(conn: Connection, flow_ids: Collection[int] | None = None) -> dict[int, list[str]]:
    """For each of these flows (None: all) the flows that it runs after, as texts."""
    query = (
        select(followers.c.flow_id, _leader.c.name, followers.c.outcome)
        .join(_leader, _leader.c.id == followers.c.after_flow_id)
        .order_by(followers.c.flow_id, _leader.c.name)
    )
    if flow_ids is not None:
        query = query.where(followers.c.flow_id.in_(flow_ids))
    found: dict[int, list[str]] = defaultdict(list)
    for flow_id, name, outcome in conn.execute(query):
        found[flow_id].append(text_of(name, outcome))
    return found


def put(conn: Connection, flow_id: int, name: str, after: Mapping[str, Outcome]) -> None:
    """Let the flow run after these, and no others.

    Raises:
        NotFound: there is no such flow.
        InvalidValue: it would run after itself; names the circle.
    """
    if conn.dialect.name != "sqlite":
        # Two changes that are sound each alone could close a circle together.
        conn.exec_driver_sql("LOCK TABLE followers IN SHARE ROW EXCLUSIVE MODE")
    conn.execute(delete(followers).where(followers.c.flow_id == flow_id))
    if not after:
        return
    living = flows.c.removed_at.is_(None)
    ids = {row.name: row.id for row in conn.execute(select(flows.c.name, flows.c.id).where(living))}
    for each in after:
        if each not in ids:
            raise missing("flow", each, ids)
    edges = {each: [edge.partition(":")[0] for edge in edges] for each, edges in _all(conn).items()}
    cycle = find_cycle({**edges, name: list(after)}, name)
    if cycle:
        raise InvalidValue("after", f"closes a circle, {' → '.join(cycle)}; leave one of them out")
    conn.execute(
        insert(followers),
        [
            {"flow_id": flow_id, "after_flow_id": ids[each], "outcome": outcome.value}
            for each, outcome in after.items()
        ],
    )


def _all(conn: Connection) -> dict[str, list[str]]:
    found = of(conn)
    query = select(flows.c.id, flows.c.name).where(flows.c.id.in_(found))
    return {row.name: found[row.id] for row in conn.execute(query)}


def forget(conn: Connection, flow_ids: Collection[int]) -> None:
    """The flows are gone: nothing runs after them any more, nor they after others."""
    gone = or_(followers.c.flow_id.in_(flow_ids), followers.c.after_flow_id.in_(flow_ids))
    conn.execute(delete(followers).where(gone))


_EDGES = "SELECT after_flow_id, flow_id, outcome FROM followers WHERE after_flow_id "


def edges(conn: Connection, flow_ids: Iterable[int]) -> dict[int, list[tuple[int, Outcome]]]:
    """Which flows run after these, and on what. Part of every batch of ended jobs."""
    wanted = list(flow_ids)
    if not wanted:
        return {}
    if conn.dialect.name == "sqlite":
        # Through SQLAlchemy it takes many times as long.
        marks = ", ".join("?" * len(wanted))
        rows = driver(conn).execute(f"{_EDGES} IN ({marks})", wanted).fetchall()
    else:
        rows = conn.exec_driver_sql(f"{_EDGES} = ANY(%s)", (wanted,)).fetchall()
    found: dict[int, list[tuple[int, Outcome]]] = {}
    for after, flow_id, outcome in rows:
        found.setdefault(after, []).append((flow_id, Outcome(outcome)))
    return found
