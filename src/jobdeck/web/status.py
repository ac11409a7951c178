"""How a job's state is shown and said: a colour, a shape, a word, and one sentence of why."""

from typing import NamedTuple

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job, JobError, Queue
from jobdeck.domain.states import REASONS, Reason, Status
from jobdeck.web import formats

ORDER = (
    Status.RUNNING,
    Status.PENDING,
    Status.SCHEDULED,
    Status.RETRYING,
    Status.FAILED,
    Status.COMPLETED,
    Status.STOPPED,
)
"""How the states stand beside each other: what moves, what is wrong, what is done."""


class Badge(NamedTuple):
    """What a state looks like: the name of its icon and of its colours, and its word."""

    tone: str
    word: str


def badge(status: Status, stopping: str = "") -> Badge:
    """The look of a state; a running job whose stop was asked for is "stopping"."""
    if status is Status.RUNNING and stopping:
        return Badge("stopping", "killing" if stopping == "kill" else "stopping")
    return Badge(status.value, status.value)


def summary(job: Job) -> str:
    """The reason as a list shows it: a few words and what is known beside them."""
    words = job.reason.replace("_", " ") if job.reason else ""
    text = job.message or (job.error.message if job.error else "")
    first = text.strip().splitlines()[0] if text.strip() else ""
    if job.error and job.reason is Reason.ERROR:
        return f"{short_type(job.error)}: {first}" if first else short_type(job.error)
    if words and first and first.lower() != words:
        return f"{words}: {first}"
    return words or first


def short_type(error: JobError) -> str:
    """The class of the error without its module."""
    return error.type.rpartition(".")[2] or "Error"


def sentence(job: Job, now: Micros, queue: Queue | None = None) -> str:
    """One sentence that says why the job is in its state; empty where nothing need be said."""
    if job.status is Status.PENDING:
        return _pending(job, queue)
    if job.status is Status.SCHEDULED and job.run_at:
        return f"It waits for its time, in {formats.duration((job.run_at - now) / 1e6)}."
    if job.status is Status.RETRYING:
        return f"The last attempt failed and the next one is due. {_cause(job)}".strip()
    if job.status is Status.RUNNING:
        return _running(job)
    if job.status is Status.FAILED:
        return _cause(job)
    if job.status is Status.STOPPED or job.reason:
        return _stated(job)
    return ""


def _pending(job: Job, queue: Queue | None) -> str:
    if queue and queue.paused_at:
        by = f" by {queue.paused_by}" if queue.paused_by else ""
        why = f": {queue.paused_reason}" if queue.paused_reason else ""
        return f"Its queue {queue.name} is paused{by}{why}."
    lost = f" It lost its worker {formats.plural(job.losses, 'time')}." if job.losses else ""
    if queue and queue.pending > 1:
        others = formats.plural(queue.pending - 1, "other job")
        return f"It waits in {queue.name} with {others}.{lost}"
    return f"It is next in its queue and waits for a free worker.{lost}"


def _running(job: Job) -> str:
    if job.stopping == "kill":
        return "A kill was asked for; its process group is being ended."
    if job.stopping:
        return "A stop was asked for; the job may finish what it holds, then it is killed."
    if job.waits_for:
        children = formats.plural(job.waits_for, "child", "children")
        return f"It waits for {children} and holds no worker meanwhile."
    return ""


def _cause(job: Job) -> str:
    error = job.error
    if error and job.reason in (Reason.ERROR, None):
        where = f"Step {error.step} raised" if error.step else "It raised"
        first = error.message.strip().splitlines()[0] if error.message.strip() else ""
        return f"{where} {short_type(error)}{': ' + first if first else ''}"
    return _stated(job)


def _stated(job: Job) -> str:
    text = job.message.strip() or (REASONS[job.reason].meaning if job.reason else "")
    if not text:
        return ""
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1] in '.!?' else '.'}"
