"""Calls about the items that a flow takes only once."""

from typing import Annotated

from litestar import Controller, delete, get
from litestar.params import FromPath, QueryParameter

from jobdeck.actions import items as actions
from jobdeck.api.kinds import Cursor, Limit, Reason
from jobdeck.client import answers
from jobdeck.domain import clock
from jobdeck.domain.filters import PAGE
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import flows, items

_Source = Annotated[
    str | None, QueryParameter(description="Only those from that source", max_length=500)
]
_Item = Annotated[str, QueryParameter(description="Only that item", max_length=500)]
_Job = Annotated[int | None, QueryParameter(description="Only those that job took", ge=1, le=2**53)]
_State = Annotated[
    str,
    QueryParameter(
        name="state",
        description="Only those in that state",
        schema_extra={"enum": list(items.STATES)},
    ),
]


class ItemsApi(Controller):
    """`/flows/{flow}/items`."""

    path = "/flows/{flow:str}/items"
    tags = ("flows",)

    @get(opt=VIEWER, sync_to_thread=True)
    def list(
        self,
        deck: AtDeck,
        flow: FromPath[str],
        job: _Job = None,
        source: _Source = None,
        item: _Item = "",
        wanted: _State = "",
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> answers.FlowItems:
        """Items that the flow takes only once, by source and name. A call looks at a bounded
        number of them: with `state` it may answer few, or none, and `next`."""
        with deck.store.read() as conn:
            page = items.find(
                *(conn, flows.get(conn, flow).id, clock.now()),
                job=job,
                source=source,
                item=item,
                state=wanted,
                limit=limit,
                cursor=cursor,
            )
        return answers.FlowItems([answers.FlowItem.of(each) for each in page.items], page.next)

    @get("/count", opt=VIEWER, sync_to_thread=True)
    def count(self, deck: AtDeck, flow: FromPath[str], job: _Job = None) -> answers.ItemCounts:
        """How many of them are in each state. At most 20,000 are counted; `more` says that
        there are further ones."""
        with deck.store.read() as conn:
            found, more = items.count(conn, flows.get(conn, flow).id, clock.now(), job=job)
        return answers.ItemCounts(**found, more=more)

    @delete(opt=OPERATOR, status_code=200, sync_to_thread=True)
    def forget(
        self,
        deck: AtDeck,
        actor: By,
        flow: FromPath[str],
        source: _Source = None,
        item: _Item = "",
        reason: Reason = "",
    ) -> answers.Forgotten:
        """Forget them all, those of one source, or one of them: the flow takes them again."""
        gone = actions.forget(deck.store, actor, reason, flow, source=source, item=item)
        return answers.Forgotten(gone)
