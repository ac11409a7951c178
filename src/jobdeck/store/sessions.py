"""Who is signed in. Only digests of tokens are kept."""

from sqlalchemy import Connection, delete, insert, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.roles import Actor, Role
from jobdeck.store.tables import sessions


def open(  # noqa: A001
    conn: Connection, token_digest: str, actor: Actor, now: Micros, ttl: float
) -> None:
    """Let whoever has the token be that actor for `ttl` seconds."""
    conn.execute(
        insert(sessions).values(
            digest=token_digest,
            actor=actor.name,
            role=int(actor.role),
            kind=actor.kind,
            created_at=now,
            expires_at=now + round(ttl * SECOND),
        )
    )


def find(conn: Connection, digest: str, now: Micros) -> Actor | None:
    """The actor whose token has that digest; None: nobody's, or its time is up."""
    query = select(sessions.c.actor, sessions.c.role, sessions.c.kind).where(
        sessions.c.digest == digest, sessions.c.expires_at > now
    )
    row = conn.execute(query).first()
    return None if row is None else Actor(row.actor, Role(row.role), row.kind)


def close(conn: Connection, digest: str) -> bool:
    """Sign out; False: nobody was signed in."""
    return bool(conn.execute(delete(sessions).where(sessions.c.digest == digest)).rowcount)


def purge(conn: Connection, now: Micros) -> int:
    """Delete those whose time is up; gives how many."""
    return conn.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount
