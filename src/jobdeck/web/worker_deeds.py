"""What can be done to workers that were selected: free them; and to a pool: drain it."""

from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import pools as actions
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import pools
from jobdeck.web import deeds
from jobdeck.web.deeds import Done, Form, Report, Target
from jobdeck.web.fields import Answers, reason, reason_field
from jobdeck.web.formats import plural
from jobdeck.web.render import AnyRequest, AtPages


@get("/workers/free", opt=OPERATOR)
async def ask(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form for freeing workers."""
    numbers = deeds.numbers(await deeds.chosen(request, "worker"), "worker")
    return await deeds.ask(pages, request, partial(_form, deck, numbers))


@post("/workers/free", opt=OPERATOR, status_code=200)
async def free(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Free each, or show the form again with what is wrong."""
    numbers = deeds.numbers(await deeds.chosen(request, "worker"), "worker")

    def act(given: Answers) -> Report:
        why = reason(given, required=True)
        outcomes = deeds.each(
            numbers,
            lambda number: _free(deck, actor, why, number),
            lambda number: f"Worker {number}",
        )
        return Report(outcomes=outcomes, to="/workers", noun="workers")

    return await deeds.do(pages, request, partial(_form, deck, numbers), act)


def _free(deck: Deck, actor: Actor, why: str, number: int) -> str:
    freed = actions.free(deck.store, actor, why, number)
    asked = [each for each in freed if not each.error]
    if not asked:
        return ", ".join(each.error for each in freed)
    jobs = ", ".join(str(each.job) for each in asked)
    word, was = ("job", "was") if len(asked) == 1 else ("jobs", "were")
    return f"{word} {jobs} {was} asked to stop"


@get("/pools/{pool_id:int}/drain", opt=OPERATOR)
async def ask_drain(
    request: AnyRequest, deck: AtDeck, pages: AtPages, pool_id: FromPath[int]
) -> Response[str]:
    """The form for draining a pool."""
    return await deeds.ask(pages, request, partial(_drain_form, deck, pool_id))


@post("/pools/{pool_id:int}/drain", opt=OPERATOR, status_code=200)
async def drain(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, pool_id: FromPath[int]
) -> Response[Any]:
    """Drain it, or show the form again with what is wrong."""

    def act(given: Answers) -> Done:
        pool = actions.drain(deck.store, actor, reason(given, required=True), pool_id)
        left = f" It still runs {plural(pool.busy, 'job')}." if pool.busy else ""
        return Done(notice=f"Pool {pool_id} takes no more jobs.{left}", to="/workers")

    return await deeds.do(pages, request, partial(_drain_form, deck, pool_id), act)


def _form(deck: Deck, numbers: list[int], given: Answers) -> Form:
    with deck.store.read() as conn:
        known = {worker.id: worker for worker in pools.list_workers(conn)}
        for number in numbers:
            if number not in known:
                pools.worker(conn, number)
    found = [known[number] for number in numbers]
    what = f"worker {numbers[0]}" if len(found) == 1 else plural(len(found), "worker")
    return Form(
        address="/workers/free",
        back="/workers",
        title=f"Free {what}?",
        text="The job that each runs is asked to stop, and killed with its process group if it has "
        "not ended after the grace time. The worker then takes the next job.",
        submit=f"Free {what}",
        icon="stop",
        danger=True,
        targets=[
            Target(
                f"Worker {worker.id}",
                f"runs job {worker.job} of {worker.job_name}" if worker.job else "runs nothing",
            )
            for worker in found
        ],
        hidden=[("worker", str(number)) for number in numbers],
        fields=[reason_field(given, required=True)],
        noun="workers",
    )


def _drain_form(deck: Deck, pool_id: int, given: Answers) -> Form:
    with deck.store.read() as conn:
        pool = pools.get(conn, pool_id)
    return Form(
        address=f"/pools/{pool_id}/drain",
        back="/workers",
        title=f"Drain pool {pool_id}?",
        text="It takes no more jobs and finishes what it runs; others go on. Its process stays "
        "until it is ended, and does not take jobs again: start it anew for that.",
        submit="Drain the pool",
        icon="drain",
        danger=True,
        targets=[Target(f"Pool {pool.id} on {pool.host}", f"runs {plural(pool.busy, 'job')}")],
        fields=[reason_field(given, required=True)],
        noun="workers",
    )
