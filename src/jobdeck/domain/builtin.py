"""Jobdeck's own work: jobs as any other, run by maintenance, each kind in a queue of its own."""

from typing import NamedTuple

from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.names import OWN

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


def is_own(name: str) -> bool:
    """Whether a pipeline or flow of that name is Jobdeck's own."""
    return name.startswith(OWN)
