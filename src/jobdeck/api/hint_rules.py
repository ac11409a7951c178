"""Calls about the rules by which errors get hints."""

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from jobdeck.actions import hint_rules as actions
from jobdeck.api.kinds import Items, Reason
from jobdeck.client import answers, requests
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import hint_rules


class HintsApi(Controller):
    """`/hints`."""

    path = "/hints"
    tags = ("errors",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all(self, deck: AtDeck) -> Items[answers.HintRule]:
        """Every rule, in the order in which they are tried."""
        with deck.store.read() as conn:
            return Items([answers.HintRule.of(rule) for rule in hint_rules.all(conn)])

    @post(opt=OPERATOR, status_code=201, sync_to_thread=True)
    def add(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.NewHint]
    ) -> Response[answers.HintRule]:
        """Give errors whose type and message the `pattern` occurs in a hint, from now on."""
        made = actions.add(deck.store, actor, data.reason, data.pattern, data.hint, data.link)
        return Response(answers.HintRule.of(made), status_code=201)

    @delete("/{rule_id:int}", opt=OPERATOR, sync_to_thread=True)
    def remove(self, deck: AtDeck, actor: By, rule_id: FromPath[int], reason: Reason = "") -> None:
        """Take a rule away; errors that have its hint keep it."""
        actions.remove(deck.store, actor, reason, rule_id)
