"""What can be done to a job: stop, kill, retry, run again, delete."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from jobdeck.actions import jobs as job_actions
from jobdeck.domain.builtin import is_own
from jobdeck.domain.errors import JobdeckError, WrongState
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Status
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import flows, jobs
from jobdeck.web import deeds, params_form
from jobdeck.web.deeds import Deed, Form
from jobdeck.web.params_form import Field
from jobdeck.web.render import AnyRequest, AtPages

PATHS = [f"/jobs/{{job_id:int}}/{name}" for name in ("stop", "kill", "retry", "again", "delete")]

_KILL_TEXT = (
    "Its process group is ended at once; what it holds may be left half-done. Its children are "
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
    form = await deck.run(lambda: _form(deck, _named(request), job_id, {}))
    return deeds.show(pages, request, form)


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, job_id: FromPath[int]
) -> Response[Any]:
    """Do it, or show the form again with what is wrong."""
    name = _named(request)
    given = await deeds.answers(request)
    try:
        job, notice = await deck.run(lambda: _DEEDS[name](deck, actor, job_id, given))
    except JobdeckError as error:
        form = await deck.run(lambda: _form(deck, name, job_id, given))
        return deeds.show(pages, request, form, error)
    return deeds.done(
        pages,
        request,
        notice,
        to=f"/jobs/{job.id}" if job else "/jobs",
        move=job is None or job.id != job_id,
        watch=job.id if job and name in ("retry", "again") else None,
    )


def _named(request: AnyRequest) -> str:
    path: str = request.scope["path"]
    return path.rstrip("/").rpartition("/")[2]


def _stop(deck: Deck, actor: Actor, job_id: int, given: dict[str, str]) -> tuple[Job, str]:
    job = job_actions.stop(deck.store, actor, deeds.check_reason(given), job_id)
    ended = job.status is Status.STOPPED
    return job, f"Job {job_id} was stopped." if ended else f"Job {job_id} was asked to stop."


def _kill(deck: Deck, actor: Actor, job_id: int, given: dict[str, str]) -> tuple[Job, str]:
    job = job_actions.kill(deck.store, actor, deeds.check_reason(given), job_id)
    return job, f"Job {job_id} is being killed."


def _retry(deck: Deck, actor: Actor, job_id: int, given: dict[str, str]) -> tuple[Job, str]:
    from_ = given.get("from", "failed_step")
    job = job_actions.retry(deck.store, actor, given.get("reason", ""), job_id, from_=from_)
    return job, f"Job {job_id} is tried again{' from the start' if from_ == 'start' else ''}."


def _again(deck: Deck, actor: Actor, job_id: int, given: dict[str, str]) -> tuple[Job, str]:
    with deck.store.read() as conn:
        old = jobs.get(conn, job_id)
        schema = flows.target(conn, old.flow).manifest.params_schema
    params = params_form.read(schema, given)
    job = job_actions.run_again(deck.store, actor, given.get("reason", ""), job_id, params)
    return job, f"This is job {job.id}, made from job {job_id}."


def _delete(deck: Deck, actor: Actor, job_id: int, given: dict[str, str]) -> tuple[None, str]:
    job_actions.delete(deck.store, actor, deeds.check_reason(given), job_id)
    return None, f"Job {job_id} was deleted."


_DEEDS: dict[str, Callable[[Deck, Actor, int, dict[str, str]], tuple[Job | None, str]]] = {
    "stop": _stop,
    "kill": _kill,
    "retry": _retry,
    "again": _again,
    "delete": _delete,
}


def _form(deck: Deck, name: str, job_id: int, given: dict[str, str]) -> Form:
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
    reason = given.get("reason", "")
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
            *_own_fields(name, job, schema, given),
            deeds.reason_field(reason, required=destructive),
        ],
    )


def _stop_text(job: Job) -> str:
    if is_own(job.flow):
        return "What it has done stays done. A retry goes on with what is left."
    if job.status is Status.RUNNING:
        return (
            "It is asked to end by itself; if it has not after the grace time, it is killed. "
            "Its children are stopped, too."
        )
    return f"It is {job.status} and will not start. Its children are stopped, too."


def _own_fields(name: str, job: Job, schema: dict[str, Any], given: dict[str, str]) -> list[Field]:
    if name == "retry":
        step = (
            f"From the step that failed, {job.error.step}"
            if job.error and job.error.step
            else ("From the step that was not done")
        )
        return [
            Field(
                name="from",
                label="Where to go on",
                kind="choice",
                value=given.get("from", "failed_step"),
                options=[("failed_step", step), ("start", "From the start")],
            )
        ]
    if name == "again":
        params = job.params if isinstance(job.params, dict) else {}
        made = params_form.fields(schema, params)
        return [_refill(field, given) for field in made] if given else made
    return []


def _refill(field: Field, given: dict[str, str]) -> Field:
    value: Any = given.get(field.name, "")
    return msgspec.structs.replace(field, value=value == "true" if field.kind == "check" else value)
