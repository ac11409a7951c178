"""Requests that were answered by creating jobs, so that one that is repeated creates none."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.uniqueness import Kept
from jobdeck.store.tables import idempotency_keys
from jobdeck.store.values import decode, encode, insert_into

KEEP = 86400 * SECOND
"""How long a request is known."""

PURGE = 1000


def begin(conn: Connection, key: str, digest: str, now: Micros) -> tuple[str, list[int]]:
    """Enter the request unless it is known, and lock it until the transaction ends; gives the
    digest that it was entered with and the numbers of the jobs that were created so far."""
    k = idempotency_keys.c
    conn.execute(delete(idempotency_keys).where(k.key == key, k.until <= now))
    new = insert_into(conn, idempotency_keys).values(
        key=key, digest=digest, job_ids="[]", until=now + KEEP
    )
    row = None
    while row is None:  # one that was there may just be forgotten
        conn.execute(new.on_conflict_do_nothing())
        query = select(k.digest, k.job_ids).where(k.key == key).with_for_update()
        row = conn.execute(query).first()
    return row.digest, [Kept(-each) if each < 0 else each for each in decode(row.job_ids)]


def keep(conn: Connection, key: str, job_ids: Sequence[int]) -> None:
    """These are the jobs by which the request is answered; kept ones stay such."""
    told = encode([-each if isinstance(each, Kept) else each for each in job_ids])
    conn.execute(update(idempotency_keys).where(idempotency_keys.c.key == key).values(job_ids=told))


def purge(conn: Connection, now: Micros) -> int:
    """Forget requests whose time is over, at most `PURGE`; gives how many."""
    k = idempotency_keys.c
    old = select(k.key).where(k.until <= now).order_by(k.until).limit(PURGE)
    return conn.execute(delete(idempotency_keys).where(k.key.in_(old))).rowcount
