"""What may be asked for of pipelines: taking in what code defines, publishing, removing."""

from collections.abc import Sequence

from jobdeck.actions import creation
from jobdeck.actions.perform import Tx, action
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Pipeline
from jobdeck.domain.roles import Role
from jobdeck.store import pipelines


@action("pipeline.register", Role.OPERATOR, "register pipelines", wakes=True)
def register(
    tx: Tx, manifests: Sequence[PipelineManifest], *, publish: bool = True
) -> list[Pipeline]:
    """Take in pipelines as their code defines them; a changed one gets a new version.

    Raises:
        InvalidValue: names the field of the one that does not fit.
        Duplicate: the name of a default flow is taken by another pipeline.
    """
    found = []
    changed = []
    for index, manifest in enumerate(manifests):
        try:
            pipeline, is_new = creation.register(tx.conn, manifest, tx.now, publish=publish)
        except InvalidValue as error:
            message = str(error).removeprefix(f"{error.field}: ")
            raise InvalidValue(f"pipelines[{index}].{error.field}", message) from None
        found.append(pipeline)
        if is_new:
            changed.append({"pipeline": pipeline.name, "version": pipeline.current_version})
    tx.target = ", ".join(f"pipeline {manifest.name}" for manifest in manifests)
    tx.detail = {"publish": publish, "changed": changed}
    return found


@action("pipeline.publish", Role.OPERATOR, "publish pipelines", wakes=True)
def publish(tx: Tx, name: str, *, version: int | None = None) -> Pipeline:
    """Let jobs run that version (None: the current one).

    Raises:
        NotFound: no such pipeline or version.
    """
    tx.target = f"pipeline {name}"
    changed = pipelines.publish(tx.conn, name, tx.now, version)
    pipeline = pipelines.get(tx.conn, name)
    tx.detail = {"version": pipeline.published_version, "changed": changed}
    tx.changed("pipeline", name, "published")
    return pipeline


@action("pipeline.unpublish", Role.OPERATOR, "unpublish pipelines")
def unpublish(tx: Tx, name: str) -> Pipeline:
    """Let no more of its jobs start; what runs goes on, what waits stays pending.

    Raises:
        NotFound: no such pipeline.
    """
    tx.target = f"pipeline {name}"
    tx.detail = {"changed": pipelines.unpublish(tx.conn, name, tx.now)}
    tx.changed("pipeline", name, "unpublished")
    return pipelines.get(tx.conn, name)


@action("pipeline.remove", Role.ADMIN, "remove pipelines")
def remove(tx: Tx, name: str) -> None:
    """Take it away with its flows and schedules; its jobs remain to be seen.

    Raises:
        NotFound: no such pipeline.
        WrongState: some of its jobs have not ended.
    """
    tx.target = f"pipeline {name}"
    pipelines.remove(tx.conn, name, tx.now)
    tx.changed("pipeline", name, "removed")
    tx.changed("flow", name, "removed")
    tx.changed("schedule", "", "removed")
