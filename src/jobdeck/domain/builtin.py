"""Jobdeck's own work: jobs as any other, run by maintenance, each kind in a queue of its own."""

from typing import NamedTuple

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.names import OWN, check_name

SCHEDULER = "SCHEDULER"
"""The queue of the schedules: while it is paused none of them fires."""


class Work(NamedTuple):
    """A kind of it: `name` is that of its pipeline and flow."""

    name: str
    queue: str
    step: str
    doc: str

    @property
    def manifest(self) -> PipelineManifest:
        """Its pipeline."""
        return PipelineManifest(
            name=self.name,
            steps=[StepManifest(name=self.step)],
            doc=self.doc,
            queue=self.queue,
        )


BULK = Work("jobdeck.bulk", "BULK", "each", "Does the same to many jobs")
EXPORT = Work("jobdeck.export", "EXPORT", "write", "Writes jobs into a file")
CLEANUP = Work("jobdeck.cleanup", "CLEANUP", "clean up", "Deletes what is too old")
WORKS = (BULK, EXPORT, CLEANUP)
QUEUES = tuple(work.queue for work in WORKS)


def check_queue(name: str, field: str) -> str:
    """The name of a queue in which jobs of other pipelines may wait.

    Raises:
        InvalidValue: it is none, or that of Jobdeck's own work; the error names `field`.
    """
    if name == SCHEDULER or name in QUEUES:
        raise InvalidValue(field, f"{name} is for Jobdeck's own work only; take another name")
    return check_name(name, field)


def is_own(name: str) -> bool:
    """Whether a pipeline or flow of that name is Jobdeck's own."""
    return name.startswith(OWN)
