"""Calls about flows."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET

from jobdeck.actions import flows as actions
from jobdeck.api.kinds import Items, Reason
from jobdeck.client import answers, requests, shapes
from jobdeck.domain.errors import InvalidValue
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import flows

_Params = Annotated[str, QueryParameter(description="Parameters, as a JSON object")]


class FlowsApi(Controller):
    """`/flows`."""

    path = "/flows"
    tags = ("flows",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all(self, deck: AtDeck, pipeline: FromQuery[str] = "") -> Items[shapes.Flow]:
        """Every flow by name, or those of one pipeline."""
        with deck.store.read() as conn:
            found = flows.all(conn, pipeline)
        return Items([shapes.Flow.of(flow) for flow in found])

    @post(opt=OPERATOR, status_code=201, sync_to_thread=True)
    def add(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.NewFlow]
    ) -> Response[shapes.Flow]:
        """Configure a new flow of a pipeline."""
        flow = actions.add(
            deck.store,
            actor,
            data.reason,
            data.name,
            data.pipeline,
            queue=data.queue or "",
            priority=data.priority,
            params=data.params,
            context=data.context,
            retry=data.retry.policy() if data.retry else None,
            timeout_s=data.timeout_s,
            max_running=data.max_running,
            rate=data.rate,
            after=data.after,
        )
        headers = {"Location": deck.address(f"/api/v1/flows/{flow.name}")}
        return Response(shapes.Flow.of(flow), status_code=201, headers=headers)

    @get("/{name:str}", opt=VIEWER, sync_to_thread=True)
    def show(self, deck: AtDeck, name: FromPath[str]) -> shapes.Flow:
        """One flow."""
        with deck.store.read() as conn:
            return shapes.Flow.of(flows.get(conn, name))

    @get("/{name:str}/check", opt=VIEWER, sync_to_thread=True)
    def check(self, deck: AtDeck, name: FromPath[str], params: _Params = "{}") -> answers.Check:
        """Whether a job of it could run now, with the `params` over its own: nothing is begun."""
        try:
            given = msgspec.json.decode(params, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise InvalidValue("params", "is not a JSON object") from None
        with deck.store.read() as conn:
            problems = flows.check(conn, name, given)
        return answers.Check(not problems, problems)

    @patch("/{name:str}", opt=OPERATOR, sync_to_thread=True)
    def edit(
        self,
        deck: AtDeck,
        actor: By,
        name: FromPath[str],
        data: JSONBody[requests.FlowChanges],
    ) -> shapes.Flow:
        """Change what is given; jobs that wait keep their queue, priority and parameters."""
        changes = given(data)
        if data.retry:
            changes["retry"] = data.retry.policy()
        return shapes.Flow.of(actions.edit(deck.store, actor, data.reason, name, changes))

    @delete("/{name:str}", opt=OPERATOR, sync_to_thread=True)
    def remove(self, deck: AtDeck, actor: By, name: FromPath[str], reason: Reason = "") -> None:
        """Take it away with its schedules; its jobs remain to be seen."""
        actions.remove(deck.store, actor, reason, name)


def given(body: requests.Body) -> dict[str, Any]:
    """What a body of changes really holds, but the reason."""
    return {
        name: value
        for name in body.__struct_fields__
        if name != "reason" and (value := getattr(body, name)) is not UNSET
    }
