"""What can be done to a job: stop, kill, retry, run again, delete."""

from collections.abc import Callable
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import jobs as job_actions
from jobdeck.domain.builtin import is_own
from jobdeck.domain.errors import JobdeckError, WrongState
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import FINAL, Status
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import flows, jobs
from jobdeck.web import deeds, params_form
from jobdeck.web.deeds import Deed, Done, Form
from jobdeck.web.fields import (
    Answers,
    Field,
    again_from_field,
    reason,
    reason_field,
    refill,
)
from jobdeck.web.render import AnyRequest, AtPages

PATHS = [f"/jobs/{{job_id:int}}/{name}" for name in ("stop", "kill", "retry", "again", "delete")]

_KILL_TEXT = (
    "Its process group is ended at once; what it holds may be left half-done. Any children are "
    "killed, too."
)


def of_job(job: Job, actor: Actor) -> list[Deed]:
    """The buttons of a job; those that cannot act say why."""
    role = deeds.why_not(actor, Role.OPERATOR)
    ended = f"It has ended: {job.status}."
    return [
        Deed(
            name="stop",
            label="Abort" if is_own(job.flow) else "Stop",
            icon="stop",
            why_not=role or _no_stop(job, ended),
        ),
        Deed(
            name="kill",
            label="Kill",
            icon="kill",
            css="btn-danger",
            why_not=role or _no_kill(job, ended),
        ),
        Deed(name="retry", label="Retry", icon="retry", why_not=role or _no_retry(job)),
        Deed(name="again", label="Run again", icon="again", why_not=role or _no_again(job)),
        Deed(
            name="delete",
            label="Delete",
            icon="delete",
            css="btn-danger",
            why_not=role or ("" if job.status.final else "It has not ended; stop it first."),
        ),
    ]


def _no_stop(job: Job, ended: str) -> str:
    if job.status.final:
        return ended
    return "It is stopping already." if job.stopping else ""


def _no_kill(job: Job, ended: str) -> str:
    if job.status.final:
        return ended
    if job.status is not Status.RUNNING:
        return "It does not run; stop it instead."
    return "It is being killed already." if job.stopping == "kill" else ""


def _no_retry(job: Job) -> str:
    if job.status in (Status.FAILED, Status.STOPPED):
        return ""
    if job.status is Status.COMPLETED:
        return "It completed." if is_own(job.flow) else "It completed; run it again instead."
    return "It has not ended yet."


def _no_again(job: Job) -> str:
    if is_own(job.flow):
        return "It is Jobdeck's own work; ask for it anew where you did before."
    return ""


@get(PATHS, opt=OPERATOR)
async def ask(
    request: AnyRequest, deck: AtDeck, pages: AtPages, job_id: FromPath[int]
) -> Response[str]:
    """The form of a deed."""
    return await deeds.ask(pages, request, partial(_form, deck, deeds.named(request), job_id))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, job_id: FromPath[int]
) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    name = deeds.named(request)
    form = partial(_form, deck, name, job_id)
    return await deeds.do(pages, request, form, partial(_DEEDS[name], deck, actor, job_id))


def _stop(deck: Deck, actor: Actor, job_id: int, given: Answers) -> Done:
    job = job_actions.stop(deck.store, actor, reason(given, required=True), job_id)
    ended = job.status is Status.STOPPED
    notice = f"Job {job_id} was stopped." if ended else f"Job {job_id} was asked to stop."
    return Done(notice=notice, to=f"/jobs/{job_id}")


def _kill(deck: Deck, actor: Actor, job_id: int, given: Answers) -> Done:
    job_actions.kill(deck.store, actor, reason(given, required=True), job_id)
    return Done(notice=f"Job {job_id} is being killed.", to=f"/jobs/{job_id}")


def _retry(deck: Deck, actor: Actor, job_id: int, given: Answers) -> Done:
    from_ = given.get("from", "failed_step")
    job_actions.retry(deck.store, actor, reason(given, required=False), job_id, from_=from_)
    notice = f"Job {job_id} is tried again{' from the start' if from_ == 'start' else ''}."
    return Done(notice=notice, to=f"/jobs/{job_id}", watch=job_id)


def _again(deck: Deck, actor: Actor, job_id: int, given: Answers) -> Done:
    with deck.store.read() as conn:
        old = jobs.get(conn, job_id)
        schema = flows.target(conn, old.flow).manifest.params_schema
    params = params_form.read(schema, given)
    why = reason(given, required=False)
    job = job_actions.run_again(deck.store, actor, why, job_id, params)
    notice = f"This is job {job.id}, made from job {job_id}."
    return Done(notice=notice, to=f"/jobs/{job.id}", move=True, watch=job.id)


def _delete(deck: Deck, actor: Actor, job_id: int, given: Answers) -> Done:
    job_actions.delete(deck.store, actor, reason(given, required=True), job_id)
    return Done(notice=f"Job {job_id} was deleted.", to="/jobs", move=True)


_DEEDS: dict[str, Callable[[Deck, Actor, int, Answers], Done]] = {
    "stop": _stop,
    "kill": _kill,
    "retry": _retry,
    "again": _again,
    "delete": _delete,
}


def _form(deck: Deck, name: str, job_id: int, given: Answers) -> Form:
    """The form of that deed for that job, with the answers given before.

    Raises:
        NotFound: no such job.
    """
    with deck.store.read() as conn:
        job = jobs.get(conn, job_id)
        schema: dict[str, Any] = {}
        if name == "again":
            try:
                schema = flows.target(conn, job.flow).manifest.params_schema
            except JobdeckError as error:
                raise WrongState(f"Job {job_id} cannot be run again: {error}") from error
    what = f"job {job.id} of {job.flow}"
    destructive = name in ("stop", "kill", "delete")
    title, text, submit, icon = {
        "stop": (f"Stop {what}?", _stop_text(job), "Stop the job", "stop"),
        "kill": (
            f"Kill {what}?",
            _KILL_TEXT,
            "Kill the job",
            "kill",
        ),
        "retry": (
            f"Retry {what}?",
            "It becomes pending again, for one more attempt with the same parameters.",
            "Retry",
            "retry",
        ),
        "again": (
            f"Run {what} again?",
            "A new job is created with these parameters and linked to this one.",
            "Run",
            "again",
        ),
        "delete": (
            f"Delete {what}?",
            "Its parameters, result, log, steps and files go for good.",
            "Delete the job",
            "delete",
        ),
    }[name]
    return Form(
        address=f"/jobs/{job_id}/{name}",
        back=f"/jobs/{job_id}",
        title=title,
        text=text,
        submit=submit,
        icon=icon,
        danger=name in ("kill", "delete"),
        fields=[
            *refill(_own_fields(name, job, schema), given),
            reason_field(given, required=destructive),
        ],
    )


def _stop_text(job: Job) -> str:
    if is_own(job.flow):
        return "What it has done stays done. A retry goes on with what is left."
    if job.status is Status.RUNNING:
        return (
            "It is asked to end by itself; if it has not after the grace time, it is killed. "
            "Any children are stopped, too."
        )
    if job.status in FINAL:
        return "It has ended already."
    return f"It is {job.status} and will not start. Any children are stopped, too."


def _own_fields(name: str, job: Job, schema: dict[str, Any]) -> list[Field]:
    if name == "retry":
        step = job.error.step if job.error else None
        told = f"From the step that failed, {step}" if step else "From the step that was not done"
        return [again_from_field(told)]
    if name == "again":
        return params_form.fields(schema, job.params if isinstance(job.params, dict) else {})
    return []
