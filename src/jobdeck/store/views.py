"""Lists of jobs that somebody has given a name."""

from sqlalchemy import Connection, delete, insert, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import View
from jobdeck.store.tables import views
from jobdeck.store.values import is_number

MOST = 50
"""So many one actor may have."""


_COLUMNS = [views.c[name] for name in View.__struct_fields__]


def of(conn: Connection, actor: str) -> list[View]:
    """Those of an actor, by name."""
    query = select(*_COLUMNS).where(views.c.actor == actor).order_by(views.c.name)
    return [View(**row._asdict()) for row in conn.execute(query)]


def get(conn: Connection, actor: str, view_id: int) -> View:
    """One of an actor's own.

    Raises:
        NotFound: the actor has none of that number.
    """
    if not is_number(view_id):
        raise NotFound("view", view_id)
    query = select(*_COLUMNS).where(views.c.id == view_id, views.c.actor == actor)
    row = conn.execute(query).first()
    if row is None:
        raise NotFound("view", view_id)
    return View(**row._asdict())


def save(conn: Connection, actor: str, name: str, filter_text: str, sort: str, now: Micros) -> View:
    """Keep a list under that name; one that the actor has already becomes this one."""
    own = (views.c.actor == actor) & (views.c.name == name)
    values = {"filter": filter_text, "sort": sort}
    if not conn.execute(update(views).where(own).values(**values)).rowcount:
        conn.execute(insert(views).values(actor=actor, name=name, created_at=now, **values))
    return View(**conn.execute(select(*_COLUMNS).where(own)).one()._asdict())


def rename(conn: Connection, view_id: int, name: str) -> None:
    """Give a view another name."""
    conn.execute(update(views).where(views.c.id == view_id).values(name=name))


def remove(conn: Connection, view_id: int) -> None:
    """Forget a view."""
    conn.execute(delete(views).where(views.c.id == view_id))
