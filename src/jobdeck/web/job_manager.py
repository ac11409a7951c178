"""The job manager: what runs now, from any page, and a bin that kills."""

import json
import shlex
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from jobdeck.actions import jobs as actions
from jobdeck.domain import clock
from jobdeck.domain.builtin import is_own
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import JobdeckError, NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Role
from jobdeck.domain.states import Status
from jobdeck.http import problems
from jobdeck.http.auth import OPERATOR, VIEWER
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import jobs
from jobdeck.web import deeds
from jobdeck.web.deeds import Done
from jobdeck.web.fields import reason
from jobdeck.web.render import AnyRequest, AtPages, Pages, is_part

SHOWN = 100
"""So many running jobs are shown, the newest."""

PARAMS_CHARS = 600
"""Longer parameters are left out of the commands that run the flow."""


class Urls(Struct, frozen=True, kw_only=True):
    """How a flow is run from elsewhere: its address, and two commands."""

    address: str
    curl: str
    command: str


@get("/job-manager", opt=VIEWER, sync_to_thread=True)
def page(request: AnyRequest, pages: AtPages, actor: By) -> Response[str]:
    """What runs now, in a dialog or on a page of its own; built-in work is left out."""
    with pages.deck.store.read() as conn:
        found = jobs.find(conn, JobFilter(status=(Status.RUNNING,)), limit=SHOWN)
    shown = [job for job in found.items if not is_own(job.pipeline)]
    return pages.page(
        request,
        "job_manager/list.html" if is_part(request) else "job_manager/page.html",
        noun="job_manager",
        alone=not is_part(request),
        now=clock.now(),
        rows=[(job, urls(pages, request, job)) for job in shown],
        more=found.next is not None,
        refused=deeds.why_not(actor, Role.OPERATOR),
    )


@get("/job-manager/{job_id:int}", opt=VIEWER, sync_to_thread=True)
def row(request: AnyRequest, pages: AtPages, actor: By, job_id: FromPath[int]) -> Response[Any]:
    """One of them as it is now."""
    if not is_part(request):
        return Response("", status_code=303, headers={"Location": pages.url("/job-manager")})
    with pages.deck.store.read() as conn:
        job = jobs.get(conn, job_id)
    return _row(request, pages, job, refused=deeds.why_not(actor, Role.OPERATOR))


@post("/job-manager/{job_id:int}/kill", opt=OPERATOR, status_code=200)
async def kill(
    request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By, job_id: FromPath[int]
) -> Response[Any]:
    """Kill it; its row says so at once, and goes when the list is updated."""
    given = await deeds.answers(request)
    error: JobdeckError | None = None
    try:
        why = reason(given, required=True)
        job = await deck.run(lambda: actions.kill(deck.store, actor, why, job_id))
    except NotFound:
        raise
    except JobdeckError as found:
        error = found
        job = await deck.run(lambda: _get(deck, job_id))
    if not is_part(request):
        notice = str(error) if error else f"Job {job_id} is being killed."
        return deeds.done(pages, request, Done(notice=notice, to="/job-manager"))
    return _row(request, pages, job, error=error)


def _get(deck: Deck, job_id: int) -> Job:
    with deck.store.read() as conn:
        return jobs.get(conn, job_id)


def _row(
    request: AnyRequest,
    pages: Pages,
    job: Job,
    *,
    refused: str = "",
    error: JobdeckError | None = None,
) -> Response[str]:
    now: Micros = clock.now()
    return pages.page(
        request,
        "job_manager/row_alone.html",
        status_code=problems.describe(error).status if error else 200,
        now=now,
        job=job,
        urls=urls(pages, request, job),
        refused=refused,
        error=str(error).removeprefix("reason: ") if error else "",
    )


def urls(pages: Pages, request: AnyRequest, job: Job) -> Urls:
    """How the flow of that job is run from elsewhere, with the job's parameters."""
    base = f"{request.base_url.scheme}://{request.base_url.netloc}"
    address = f"{base}{pages.url(f'/api/v1/flows/{job.flow}/jobs')}"
    params = job.params if isinstance(job.params, dict) else {}
    body = json.dumps({"params": params}, ensure_ascii=False)
    if len(body) > PARAMS_CHARS:
        params, body = {}, '{"params": {}}'
    return Urls(
        address=address,
        curl=shlex.join(
            ["curl", "-X", "POST", address, "-H", "Content-Type: application/json", "-d", body]
        )
        + ' -H "Authorization: Bearer $JOBDECK_TOKEN"',
        command=shlex.join(
            ["jobdeck", "run", job.flow]
            + [part for name, value in params.items() for part in ("-p", _pair(name, value))]
        ),
    )


def _pair(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{name}={text}"
