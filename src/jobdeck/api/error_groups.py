"""Calls about error groups: failures that are the same error."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from jobdeck.actions import error_groups as actions
from jobdeck.api.jobs import created
from jobdeck.api.kinds import Cursor, Limit
from jobdeck.client import answers, requests, shapes
from jobdeck.domain import clock
from jobdeck.domain.filters import PAGE
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import error_groups

_State = Annotated[
    str,
    QueryParameter(
        name="state",
        description="Only open ones, resolved ones, or muted ones",
        schema_extra={"enum": list(error_groups.STATES)},
    ),
]
_Text = Annotated[str, QueryParameter(description="Text in type, place or message", max_length=200)]


class ErrorsApi(Controller):
    """`/errors`."""

    path = "/errors"
    tags = ("errors",)

    @get(opt=VIEWER, sync_to_thread=True)
    def list(
        self,
        deck: AtDeck,
        wanted: _State = "",
        flow: FromQuery[str] = "",
        q: _Text = "",
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> answers.ErrorGroups:
        """Failures gathered by type, place and message, what happened last first."""
        with deck.store.read() as conn:
            page = error_groups.find(
                conn, now=clock.now(), state=wanted, flow=flow, q=q, limit=limit, cursor=cursor
            )
        return answers.ErrorGroups.of(page)

    @get("/{group_id:int}", opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck, group_id: FromPath[int]) -> answers.ErrorGroup:
        """One error group; `GET /jobs?error=ID` lists the jobs that stand failed by it."""
        with deck.store.read() as conn:
            return answers.ErrorGroup.of(error_groups.get(conn, group_id, clock.now()))

    @post("/{group_id:int}/resolve", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def resolve(
        self,
        deck: AtDeck,
        actor: By,
        group_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> answers.ErrorGroup:
        """Mark it resolved; the next failure of its kind opens it again."""
        return answers.ErrorGroup.of(actions.resolve(deck.store, actor, data.reason, group_id))

    @post("/{group_id:int}/reopen", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def reopen(
        self,
        deck: AtDeck,
        actor: By,
        group_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> answers.ErrorGroup:
        """Open a resolved one again."""
        return answers.ErrorGroup.of(actions.reopen(deck.store, actor, data.reason, group_id))

    @post("/{group_id:int}/mute", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def mute(
        self,
        deck: AtDeck,
        actor: By,
        group_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> answers.ErrorGroup:
        """Let it call for no attention, however often it happens; it goes on counting."""
        return answers.ErrorGroup.of(actions.mute(deck.store, actor, data.reason, group_id))

    @post("/{group_id:int}/unmute", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def unmute(
        self,
        deck: AtDeck,
        actor: By,
        group_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> answers.ErrorGroup:
        """Let a muted one call for attention again."""
        return answers.ErrorGroup.of(actions.unmute(deck.store, actor, data.reason, group_id))

    @post("/{group_id:int}/retry", opt=OPERATOR, status_code=200, sync_to_thread=True)
    def retry(
        self,
        deck: AtDeck,
        actor: By,
        group_id: FromPath[int],
        data: JSONBody[requests.Why] = requests.NO_REASON,
    ) -> Response[answers.Bulk | shapes.Job]:
        """Try every job that stands failed by it once more, from the step that failed. Up to 100
        at once: 200 with what became of each; more of them: 202 with the job that does it."""
        found = actions.retry(deck.store, actor, data.reason, group_id, source="api")
        if found.job is not None:
            return created(deck, found.job)  # type: ignore[return-value]
        return Response(answers.Bulk.of(found), status_code=200)
