"""What somebody may do with the lists of jobs that they have given names."""

from jobdeck.actions.perform import Tx, action
from jobdeck.domain import filtertext
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import check_sort
from jobdeck.domain.records import View
from jobdeck.domain.roles import Role
from jobdeck.store import views

NAME_CHARS = 60


@action("view.save", Role.VIEWER, "save views")
def save(tx: Tx, name: str, filter_text: str, sort: str) -> View:
    """Keep a list under a name; one of that name becomes this one. `sort` is what it is sorted
    by, separated by commas, `-` before what is descending.

    Raises:
        InvalidValue: the name, the filter or the order will not do, or there are too many.
    """
    name = _check_name(name)
    filtertext.parse(filter_text, tx.now)
    known = {view.name for view in views.of(tx.conn, tx.actor.name)}
    if name not in known and len(known) >= views.MOST:
        raise InvalidValue("name", f"there are {len(known)} views already; delete one first")
    sort = ",".join(check_sort(key.strip() for key in sort.split(",")))
    tx.target = f"view {name}"
    tx.detail = {"filter": filter_text, "sort": sort}
    return views.save(tx.conn, tx.actor.name, name, filter_text, sort, tx.now)


@action("view.rename", Role.VIEWER, "rename views")
def rename(tx: Tx, view_id: int, name: str) -> View:
    """Give one of one's own views another name.

    Raises:
        NotFound: no such view.
        InvalidValue: the name will not do, or is taken.
    """
    name = _check_name(name)
    view = views.get(tx.conn, tx.actor.name, view_id)
    if any(v.name == name and v.id != view_id for v in views.of(tx.conn, tx.actor.name)):
        raise InvalidValue("name", f"there is a view {name!r} already; take another name")
    views.rename(tx.conn, view_id, name)
    tx.target = f"view {view.name}"
    tx.detail = {"name": name}
    return views.get(tx.conn, tx.actor.name, view_id)


@action("view.delete", Role.VIEWER, "delete views")
def delete(tx: Tx, view_id: int) -> None:
    """Forget one of one's own views.

    Raises:
        NotFound: no such view.
    """
    view = views.get(tx.conn, tx.actor.name, view_id)
    views.remove(tx.conn, view_id)
    tx.target = f"view {view.name}"


def _check_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARS or not name.isprintable():
        raise InvalidValue("name", f"give it a name of 1 to {NAME_CHARS} characters")
    return name
