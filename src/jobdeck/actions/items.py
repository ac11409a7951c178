"""What may be asked for of the items that flows take once: forgetting them."""

from jobdeck.actions.perform import Tx, bulk_action
from jobdeck.domain.names import check_text
from jobdeck.domain.roles import Role
from jobdeck.store import flows, items


@bulk_action("items.forget", Role.OPERATOR, "let flows take items again")
def forget(tx: Tx, flow: str, *, source: str | None = None, item: str = "") -> int | None:
    """Forget the items of a flow, of one source, or one of them, so that it takes them again;
    gives how many.

    Raises:
        NotFound: no such flow.
    """
    tx.target = f"flow {flow}"
    for field, text in (("source", source or ""), ("item", item)):
        check_text(text, field)
    flow_id = flows.get(tx.conn, flow).id
    gone = items.forget(tx.conn, flow_id, source=source, item=item, limit=items.PURGE)
    done: int = tx.memory.get("done", 0) + gone
    tx.memory["done"] = done
    tx.detail = {"source": source, "item": item, "items": done}
    tx.changed("flow", flow, "items forgotten")
    return None if gone == items.PURGE else done
