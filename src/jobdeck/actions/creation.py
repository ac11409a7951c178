"""Checking jobs that are to be created, and creating many of them quickly."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.actions.manifests import check_manifest, check_priority
from jobdeck.domain import clock, uniqueness
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, NotFound, WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.names import check_text
from jobdeck.domain.records import Pipeline
from jobdeck.domain.schema import ParamsCheck
from jobdeck.domain.uniqueness import NO_WISH, Unique
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import changes, flows, jobs, pipelines, schedules
from jobdeck.store.borrowed import Borrower
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue, enqueue_as_read
from jobdeck.store.flows import Target

CHUNK = 5000
"""Jobs created in one transaction; with more, others would wait too long for SQLite's lock."""

PARAMS_BYTES = 1_000_000
"""Parameters are small; larger things are files."""

_encode = msgspec.json.Encoder().encode


class Origin(Struct, frozen=True, kw_only=True):
    """Where new jobs come from: `source` is manual, api, sdk, schedule, parent or job."""

    source: str
    created_by: str = ""
    retry_of: int | None = None
    schedule_id: int | None = None


class Recipe(Struct, frozen=True):
    """What the jobs of a flow have in common."""

    target: Target
    check: ParamsCheck
    fingerprint: str


class Recipes:
    """The recipe of each flow, made once and used until the flow or its pipeline changes.

    For one store. Threads may share it: the worst is that two of them make the same one.
    """

    def __init__(self) -> None:
        self._known: dict[str, Recipe] = {}
        self._fingerprints: dict[int, tuple[PipelineManifest, str]] = {}

    def fingerprint(self, manifest: PipelineManifest) -> str:
        """The manifest's, computed once for each object."""
        found = self._fingerprints.get(id(manifest))
        if found is None or found[0] is not manifest:
            found = self._fingerprints[id(manifest)] = (manifest, manifest.fingerprint)
        return found[1]

    def known(self, flow: str) -> Recipe | None:
        """The recipe as it was read last, if it was; it may have changed since."""
        return self._known.get(flow)

    def get(self, conn: Connection, flow: str) -> Recipe:
        """The recipe as it stands now.

        Raises:
            NotFound: no such flow.
            WrongState: its pipeline is not published.
        """
        known = self._known.get(flow)
        if known is not None and flows.stamp(conn, flow) == known.target.stamp:
            return known
        target = flows.target(conn, flow)
        check = ParamsCheck(target.manifest.params_schema)
        recipe = Recipe(target, check, target.manifest.fingerprint)
        self._known[flow] = recipe
        return recipe


def prepare(
    conn: Connection,
    items: Sequence[EnqueueItem],
    origin: Origin,
    recipes: Recipes,
    *,
    now: Micros,
    checked_by: str = "",
    start: int = 0,
) -> list[NewJob]:
    """The rows of these jobs, if all of them can be created; nothing is written.

    `checked_by` is the fingerprint of the pipeline that the caller has checked the parameters
    against; they are not checked again if it is the published one. `start` is the place of the
    first one in the list that the caller was given.

    Raises:
        NotFound: no such flow or parent.
        WrongState: its pipeline is not published.
        InvalidValue: names the first value that does not fit, as `items[2].params.city` where
            there are several items.
    """
    found: dict[str, Recipe] = {}
    new = []
    _check_parents(conn, items)
    for index, item in enumerate(items, start):
        recipe = found.get(item.flow)
        if recipe is None:
            recipe = found[item.flow] = recipes.get(conn, item.flow)
        try:
            new.append(_row(item, recipe, origin, now, checked_by == recipe.fingerprint))
        except InvalidValue as error:
            if len(items) == 1 and not start:
                raise
            message = str(error).removeprefix(f"{error.field}: ")
            raise InvalidValue(f"items[{index}].{error.field}", message) from None
    return new


def _check_parents(conn: Connection, items: Sequence[EnqueueItem]) -> None:
    parents = {item.parent for item in items if item.parent is not None}
    if parents:
        for parent in parents.difference(jobs.statuses(conn, parents)):
            raise NotFound("job", parent)


def _row(
    item: EnqueueItem, recipe: Recipe, origin: Origin, now: Micros, is_checked: bool
) -> NewJob:
    flow = recipe.target.flow
    params = {**flow.params, **item.params} if flow.params else item.params
    if flow.params or not is_checked:
        recipe.check.check(params)
    priority = flow.priority if item.priority is None else item.priority
    check_priority(priority)
    context = flow.context if item.context is None else item.context
    check_text(context, "context")
    clock.check(item.run_at, "run_at")
    return NewJob(
        flow_id=recipe.target.flow_id,
        queue_id=recipe.target.queue_id,
        params=_json(params),
        priority=priority,
        context=context,
        run_at=item.run_at,
        parent_id=item.parent,
        retry_of=origin.retry_of,
        schedule_id=origin.schedule_id,
        source=origin.source,
        created_by=origin.created_by,
        unique=_unique_of(item, recipe.target, params, context, now),
    )


def _unique_of(
    item: EnqueueItem, target: Target, params: dict[str, Any], context: str, now: Micros
) -> Unique | None:
    """The unique key that the job gets, as it is asked for or as its pipeline has it.

    Raises:
        InvalidValue: what is asked for does not fit together; names the field.
    """
    rule = target.manifest.unique
    if item.unique == NO_WISH and not rule:
        return None
    uniqueness.check(item.unique)
    return uniqueness.resolve(
        item.unique,
        rule,
        flow_id=target.flow_id,
        queue_id=target.queue_id,
        params=params,
        context=context,
        now=now,
    )


def _json(params: dict[str, Any]) -> str:
    try:
        text = _encode(params)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue("params", f"cannot be written as JSON: {error}") from None
    if len(text) > PARAMS_BYTES:
        raise InvalidValue(
            "params",
            f"take {len(text):,} bytes as JSON, more than {PARAMS_BYTES:,}; pass large "
            "things as files",
        )
    return text.decode()


def create_many(
    store: Store,
    items: Sequence[EnqueueItem],
    origin: Origin,
    recipes: Recipes,
    *,
    manifest: PipelineManifest | None = None,
) -> list[int]:
    """Create the jobs and give their numbers, in order; all are checked before the first.

    `manifest` is the pipeline that the items belong to where the caller defines it: one that is
    not known yet is registered and published. There is no audit: the jobs say themselves where
    they come from.

    Raises:
        NotFound, WrongState, InvalidValue: as `prepare`; no job was created then.
        Duplicate: another job has the unique key of one; nor then.
    """
    checked_by = recipes.fingerprint(manifest) if manifest else ""
    if len(items) == 1 and not items[0].unique.key:
        made = _create_alone(store, items, origin, recipes, checked_by)
        if made:
            return made
    if len(items) <= CHUNK or any(item.unique.key for item in items):
        with store.write(wake=True) as conn:
            now = clock.now()
            new = prepare_known(
                conn, items, origin, recipes, manifest=manifest, now=now, checked_by=checked_by
            )
            return enqueue(conn, new, now)
    with store.write() as conn:
        new = prepare_known(
            conn, items, origin, recipes, manifest=manifest, now=clock.now(), checked_by=checked_by
        )
    ids = []
    size = chunk_of(new)
    for start in range(0, len(new), size):
        with store.write(wake=True) as conn:
            ids += enqueue(conn, new[start : start + size], clock.now())
    return ids


def _create_alone(
    store: Store, items: Sequence[EnqueueItem], origin: Origin, recipes: Recipes, checked_by: str
) -> list[int]:
    """Create a single job in as few round trips as can be; none, if it takes more than that."""
    with store.alone() as conn:
        now = clock.now()
        if recipe := recipes.known(items[0].flow):
            made = _create_as_read(conn, items[0], origin, recipe, now, checked_by)
            if made is not None:
                return [made]
        try:
            new = prepare(conn, items, origin, recipes, now=now, checked_by=checked_by)
        except NotFound:
            return []  # it may be known by its manifest; else the same is found once more
        return [] if new[0].unique else enqueue(conn, new, now)


def _create_as_read(
    conn: Connection,
    item: EnqueueItem,
    origin: Origin,
    recipe: Recipe,
    now: Micros,
    checked_by: str,
) -> int | None:
    """The job's number, or None if it takes another look at the flow, or at more than that."""
    if item.parent is not None:
        return None
    try:
        job = _row(item, recipe, origin, now, checked_by == recipe.fingerprint)
    except InvalidValue:
        return None  # it may fit by now
    return None if job.unique else enqueue_as_read(conn, job, recipe.target.stamp, now)


def chunk_of(new: Sequence[NewJob]) -> int:
    """How many of the jobs to create in one transaction: all, if any has a unique key, since a
    duplicate among the last would be found when the first are created already."""
    return len(new) if any(job.unique for job in new) else CHUNK


def create_within(
    borrower: Borrower,
    connection: Any,
    store: Store,
    items: Sequence[EnqueueItem],
    origin: Origin,
    recipes: Recipes,
    *,
    manifest: PipelineManifest | None = None,
) -> list[int]:
    """As `create_many`, in the transaction that a connection of the caller's is in: the jobs are
    there when that is committed, and never were if it is rolled back.

    A pipeline that is not known yet is registered at once, not with the caller's transaction,
    which would let others wait for it.

    Raises:
        NotFound, WrongState, InvalidValue, Duplicate: as `create_many`; the caller's transaction
            goes on as if nothing had been asked for.
        StoreError: the database refused; says why.
    """
    driver = borrower.driver_of(connection)
    checked_by = recipes.fingerprint(manifest) if manifest else ""
    now = clock.now()
    try:
        with store.read() as conn:
            new = prepare(conn, items, origin, recipes, now=now, checked_by=checked_by)
    except NotFound as error:
        if manifest is None or (error.kind, error.name) != ("flow", manifest.name):
            raise
        if borrower.has_begun(driver):
            raise WrongState(
                f"Pipeline {manifest.name!r} is not known to the store yet, and SQLite lets nobody "
                "register it beside your transaction. Start a pool that loads it, or create a job "
                "of it outside a transaction first."
            ) from None
        with store.write() as conn:
            new = prepare_known(
                conn, items, origin, recipes, manifest=manifest, now=now, checked_by=checked_by
            )
    with borrower.within(connection, driver) as conn:
        return enqueue(conn, new, now)


def prepare_known(
    conn: Connection,
    items: Sequence[EnqueueItem],
    origin: Origin,
    recipes: Recipes,
    *,
    manifest: PipelineManifest | None,
    now: Micros,
    checked_by: str = "",
    start: int = 0,
) -> list[NewJob]:
    """As `prepare`, but a pipeline that is not known is registered and published if its
    manifest is at hand."""
    try:
        return prepare(conn, items, origin, recipes, now=now, checked_by=checked_by, start=start)
    except NotFound as error:
        if manifest is None or (error.kind, error.name) != ("flow", manifest.name):
            raise
    register(conn, manifest, now, publish=True)
    return prepare(conn, items, origin, recipes, now=now, checked_by=checked_by, start=start)


def register(
    conn: Connection, manifest: PipelineManifest, now: Micros, *, publish: bool
) -> tuple[Pipeline, bool]:
    """Take in a pipeline as its code defines it, with its schedules, and tell live pages; gives
    it and whether anything changed.

    Raises:
        Duplicate: the name of its default flow is taken by another pipeline.
        InvalidValue: names the field of the manifest that does not fit.
    """
    check_manifest(manifest)
    pipeline, is_new = pipelines.register(conn, manifest, now, publish=publish)
    rows = []
    if is_new:
        rows = [("pipeline", manifest.name, "registered"), ("flow", manifest.name, "changed")]
    if schedules.sync_defined(conn, manifest, now):
        rows.append(("schedule", "", "changed"))
    if rows:
        changes.add(conn, now, rows)
    return pipeline, bool(rows)
