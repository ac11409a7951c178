"""The same done to many jobs of the list: those that were selected, or everything that matches."""

from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from litestar import Response, get, post
from msgspec import structs

from jobdeck.actions import bulk as actions
from jobdeck.actions import export as export_actions
from jobdeck.domain import bulk, clock, numbers
from jobdeck.domain.bulk import AT_ONCE, Bulk, Order
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Actor
from jobdeck.http.auth import OPERATOR
from jobdeck.http.state import AtDeck, By, Deck
from jobdeck.store import jobs, queues, selections
from jobdeck.web import deeds, jobs_query
from jobdeck.web.deeds import Done, Form, Outcome, Report, Target
from jobdeck.web.fields import (
    Answers,
    Field,
    again_from_field,
    number_field,
    reason,
    reason_field,
    refill,
    whole,
)
from jobdeck.web.formats import number, plural
from jobdeck.web.render import AnyRequest, AtPages

PATHS = [f"/jobs/bulk/{verb}" for verb in bulk.VERBS]
SHOWN = 20
"""So many of the targets are named."""


class _Words(NamedTuple):
    verb: str
    text: str
    icon: str
    danger: bool = False
    required: bool = False


_ANEW = "Those that have ended are skipped."
_WAITING = "Only jobs that wait can be changed: pending, scheduled and retrying ones."
_WORDS = {
    "stop": _Words(
        "Stop",
        "Those that wait will not start; running ones are asked to end by themselves, and killed "
        f"if they have not after the grace time. Their children are stopped, too. {_ANEW}",
        "stop",
        required=True,
    ),
    "kill": _Words(
        "Kill",
        "The processes of running ones are ended at once; what they hold may be left half-done. "
        f"Their children are killed, too. {_ANEW}",
        "kill",
        danger=True,
        required=True,
    ),
    "retry": _Words(
        "Retry",
        "Failed and stopped ones become pending again, for one more attempt with the same "
        "parameters; the others are skipped.",
        "retry",
    ),
    "delete": _Words(
        "Delete",
        "Their parameters, results, logs, steps and files go for good. Those that have not ended "
        "are skipped.",
        "delete",
        danger=True,
        required=True,
    ),
    "priority": _Words("Change the priority of", _WAITING, "up"),
    "move": _Words("Move", _WAITING, "queues"),
}


class _Meant(NamedTuple):
    """The jobs that are meant: these numbers, or (`wanted`) all up to number `upto` that the list
    of that address shows."""

    ids: list[int]
    wanted: JobFilter | None
    text: str
    upto: int
    pairs: dict[str, Any]


@get(PATHS, opt=OPERATOR)
async def ask(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form: how many jobs, which, and why."""
    meant = await _meant(request, deck)
    return await deeds.ask(pages, request, partial(_form, deck, deeds.named(request), meant))


@post(PATHS, opt=OPERATOR, status_code=200)
async def do(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Do it to a few at once, or create the job that does it to all of them."""
    verb = deeds.named(request)
    meant = await _meant(request, deck)

    def act(given: Answers) -> Done | Report:
        order = _order(verb, given)
        why = reason(given, required=_WORDS[verb].required)
        return _told(_carry_out(deck, actor, why, order, meant))

    return await deeds.do(pages, request, partial(_form, deck, verb, meant), act)


EXPORT_PATH = "/jobs/bulk/export"


@get(EXPORT_PATH, opt=OPERATOR)
async def ask_export(request: AnyRequest, deck: AtDeck, pages: AtPages) -> Response[str]:
    """The form of an export."""
    meant = await _meant(request, deck)
    return await deeds.ask(pages, request, partial(_export_form, deck, meant))


@post(EXPORT_PATH, opt=OPERATOR, status_code=200)
async def export(request: AnyRequest, deck: AtDeck, pages: AtPages, actor: By) -> Response[Any]:
    """Create the job that writes the file."""
    meant = await _meant(request, deck)

    def act(given: Answers) -> Done:
        job = export_actions.start(
            *(deck.store, actor, reason(given, required=False)),
            format_=given.get("format", ""),
            ids=meant.ids,
            wanted=meant.wanted,
            text=meant.text,
            upto=meant.upto,
        )
        path = f"/jobs/{job.id}"
        notice = f"Job {job.id} writes the file and keeps it."
        return Done(notice=notice, to=path, link=path, watch=job.id)

    return await deeds.do(pages, request, partial(_export_form, deck, meant), act)


def _export_form(deck: Deck, meant: _Meant, given: Answers) -> Form:
    with deck.store.read() as conn:
        told = actions.survey(
            conn, Order(action="stop"), meant.ids, meant.wanted, upto=meant.upto, examples=0
        )
    many = _many(told)
    options = [("csv", "CSV, for spreadsheets"), ("jsonl", "JSON, one job on each line")]
    chosen = Field(name="format", label="Format", kind="choice", value="csv", options=options)
    return Form(
        address=_address("export", meant),
        back=_back(meant),
        title=f"Export {many}?",
        text="A job of the queue EXPORT writes them into a file and keeps it.",
        submit=f"Export {many}",
        icon="download",
        hidden=[("id", str(each)) for each in meant.ids],
        fields=[
            *refill([chosen], given),
            reason_field(given, required=False),
        ],
    )


async def _meant(request: AnyRequest, deck: Deck) -> _Meant:
    """What the address, or the form, says."""
    if not request.query_params.get("all"):
        ids = deeds.numbers(await deeds.chosen(request, "id"), "job")
        return _Meant(ids, None, "", 0, {})
    query = jobs_query.read(request)
    upto = numbers.read(str(request.query_params.get("upto", ""))) or 0
    if not upto:
        upto = await deck.run(lambda: _newest(deck))
    # A list that folds children under their parents means all that it shows, also the folded.
    wanted = structs.replace(query.condition(clock.now()), roots=False)
    return _Meant([], wanted, query.q, upto, query.replacing(sort=""))


def _newest(deck: Deck) -> int:
    with deck.store.read() as conn:
        return selections.newest(conn)


def _order(verb: str, given: Answers) -> Order:
    priority = whole(given, "priority")
    return bulk.order(verb, given.get("from", "failed_step"), priority, given.get("queue", ""))


def _carry_out(deck: Deck, actor: Actor, why: str, order: Order, meant: _Meant) -> Bulk:
    if meant.wanted is None and len(meant.ids) <= AT_ONCE:
        items = actions.few(deck.store, actor, why, order, meant.ids)
        return Bulk(action=order.action, number=len(items), items=items)
    job = actions.start(
        *(deck.store, actor, why, order),
        ids=meant.ids,
        wanted=meant.wanted,
        text=meant.text,
        upto=meant.upto,
    )
    return Bulk(action=order.action, number=len(meant.ids), job=job)


def _told(found: Bulk) -> Done | Report:
    """What came of it."""
    past = bulk.PAST[found.action]
    if found.job is not None:
        path = f"/jobs/{found.job.id}"
        notice = f"Job {found.job.id} does it, one after the other."
        return Done(notice=notice, to=path, link=path, watch=found.job.id)
    skipped = [item for item in found.items if item.outcome != bulk.DONE]
    if not skipped:
        notice = f"{plural(found.number, 'job')} {past}."
        return Done(notice=notice, to="/jobs", tone="completed")
    outcomes = [
        Outcome(f"Job {item.job}", item.message or past, failed=item.outcome != bulk.DONE)
        for item in (*skipped, *(each for each in found.items if each.outcome == bulk.DONE))
    ]
    title = f"{number(len(outcomes) - len(skipped))} {past}, {number(len(skipped))} skipped"
    return Report(outcomes=outcomes, to="/jobs", noun="jobs", title=title)


def _form(deck: Deck, verb: str, meant: _Meant, given: Answers) -> Form:
    """The form, with the answers given before.

    Raises:
        InvalidValue: a number is none.
    """
    words = _WORDS[verb]
    survey = Order(action=verb)  # type: ignore[arg-type]
    with deck.store.read() as conn:
        told = actions.survey(
            conn, survey, meant.ids, meant.wanted, upto=meant.upto, examples=SHOWN
        )
        examples = jobs.load(conn, told.examples)
        known = [q.name for q in queues.all(conn, clock.now()) if not q.builtin]
    many = _many(told)
    later = meant.wanted is not None or len(meant.ids) > AT_ONCE
    slow = " A job of the queue BULK does it; it shows how far it is and can be stopped."
    return Form(
        address=_address(verb, meant),
        back=_back(meant),
        title=f"{words.verb} {many}?",
        text=words.text + (slow if later else ""),
        submit=f"{words.verb.removesuffix(' the priority of')} {many}",
        icon=words.icon,
        danger=words.danger,
        targets=_targets(examples, told),
        hidden=[("id", str(each)) for each in meant.ids],
        fields=[
            *refill(_own_fields(verb, known), given),
            reason_field(given, required=words.required),
        ],
    )


def _many(told: Bulk) -> str:
    return f"more than {number(told.number)} jobs" if told.more else plural(told.number, "job")


def _address(verb: str, meant: _Meant) -> str:
    if meant.wanted is None:
        return f"/jobs/bulk/{verb}"
    query = {"all": "1", "upto": meant.upto, **meant.pairs}
    return f"/jobs/bulk/{verb}?{urlencode(query, doseq=True)}"


def _back(meant: _Meant) -> str:
    return f"/jobs?{urlencode(meant.pairs, doseq=True)}" if meant.pairs else "/jobs"


def _targets(examples: list[Job], told: Bulk) -> list[Target]:
    found = [Target(f"Job {job.id}", f"{job.flow}, {job.status}") for job in examples]
    rest = told.number - len(found)
    if told.more or rest > 0:
        found.append(Target(f"and {number(max(rest, 0))} {'or more ' if told.more else ''}others"))
    return found


def _own_fields(verb: str, known: list[str]) -> list[Field]:
    if verb == "retry":
        return [again_from_field("From the step that failed")]
    if verb == "priority":
        return [number_field("priority", "Priority", 0, "Larger goes first.", required=True)]
    if verb == "move":
        options = [("", "Choose one"), *((name, name) for name in known)]
        return [Field(name="queue", label="Queue", kind="select", options=options, required=True)]
    return []
