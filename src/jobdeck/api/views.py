"""Calls about the lists of jobs that somebody has given names."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from jobdeck.actions import views as actions
from jobdeck.api.kinds import Items, Reason
from jobdeck.client import answers, requests
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck, By
from jobdeck.store import views


class ViewsApi(Controller):
    """`/views`."""

    path = "/views"
    tags = ("jobs",)

    @get(opt=VIEWER, sync_to_thread=True)
    def all_views(self, deck: AtDeck, actor: By) -> Items[answers.View]:
        """Your own lists of jobs that have names."""
        with deck.store.read() as conn:
            return Items([answers.View.of(view) for view in views.of(conn, actor.name)])

    @post(opt=VIEWER, status_code=201, sync_to_thread=True)
    def save_view(
        self, deck: AtDeck, actor: By, data: JSONBody[requests.NewView]
    ) -> Response[answers.View]:
        """Keep a list under a name; one of your own with that name becomes this one."""
        made = actions.save(deck.store, actor, data.reason, data.name, data.filter, data.sort)
        return Response(answers.View.of(made), status_code=201)

    @patch("/{view_id:int}", opt=VIEWER, sync_to_thread=True)
    def rename_view(
        self, deck: AtDeck, actor: By, view_id: FromPath[int], data: JSONBody[requests.ViewName]
    ) -> answers.View:
        """Give one of your own another name."""
        found = actions.rename(deck.store, actor, data.reason, view_id, data.name)
        return answers.View.of(found)

    @delete("/{view_id:int}", opt=VIEWER, sync_to_thread=True)
    def delete_view(
        self, deck: AtDeck, actor: By, view_id: FromPath[int], reason: Reason = ""
    ) -> None:
        """Forget one of your own; the jobs that it shows stay as they are."""
        actions.delete(deck.store, actor, reason, view_id)
