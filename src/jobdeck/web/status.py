"""How a job's state is shown: a colour, a shape, a word, and its reason in a few words."""

from typing import NamedTuple

from jobdeck.domain.records import Job, JobError
from jobdeck.domain.states import Reason, Status

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
