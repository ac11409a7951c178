"""The steps of a job: what each did, and from where the next attempt goes on."""

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Counts, Job, JobError, Step
from jobdeck.domain.states import CODES, Code, Status
from jobdeck.store import attempts
from jobdeck.store.tables import steps
from jobdeck.store.values import AnyRow, clean, decode, decode_error, encode


class StepRow(Struct, frozen=True, kw_only=True):
    """Where a step stands, as its worker told. `status` is running, completed, failed or
    stopped; `result` and `checkpoint` are JSON."""

    job_id: int
    position: int
    name: str
    attempt: int
    claim: int
    status: str
    started_at: Micros | None = None
    finished_at: Micros | None = None
    counts: Counts = Counts()
    result: bytes | None = None
    checkpoint: bytes | None = None
    error: JobError | None = None


class StepProgress(Struct, frozen=True, kw_only=True):
    """From where a job goes on: the position and result of each step that is done, and the last
    checkpoint of the first that is not, with what it had counted then. `attempt` is the last one
    that told anything, `began_at` when its first step began."""

    done: list[tuple[int, bytes | None]]
    checkpoint: bytes | None = None
    counts: Counts | None = None
    attempt: int = 0
    began_at: Micros | None = None


_COUNTS = ("read", "written", "filtered", "skipped", "commits", "rollbacks")
_KEY = ("job_id", "position")
_REST = (
    *("name", "attempt", "claim", "status", "started_at", "finished_at", *_COUNTS),
    *("result", "checkpoint", "error"),
)


def _save_statement(mark: str) -> str:
    columns = (*_KEY, *_REST)
    marks = ", ".join([mark] * len(columns))
    values = ", ".join(f"{name} = excluded.{name}" for name in _REST)
    return (
        f"INSERT INTO steps ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608
        f"ON CONFLICT (job_id, position) DO UPDATE SET {values} "
        "WHERE steps.claim <= excluded.claim"
    )


_SAVE = {"sqlite": _save_statement("?"), "postgresql": _save_statement("%s")}


def save(conn: Connection, reports: Sequence[StepRow]) -> None:
    """Keep where steps stand; what an older claim reports late changes nothing."""
    if reports:
        rows = [_values(report) for report in reports]
        conn.exec_driver_sql(_SAVE[conn.dialect.name], rows)


def _values(report: StepRow) -> tuple[object, ...]:
    counts = report.counts
    return (
        *(report.job_id, report.position, clean(report.name), report.attempt, report.claim),
        *(int(CODES[Status(report.status)]), report.started_at, report.finished_at),
        *(counts.read, counts.written, counts.filtered, counts.skipped),
        *(counts.commits, counts.rollbacks),
        report.result.decode() if report.result is not None else None,
        report.checkpoint.decode() if report.checkpoint is not None else None,
        encode(report.error) if report.error is not None else None,
    )


def of_job(conn: Connection, job: Job, manifest: PipelineManifest | None) -> list[Step]:
    """The steps of the job in order.

    Those that it has not reached are pending; the only step of a job that told nothing of it is
    as the job itself; one that was cut off ended with its attempt. Without `manifest` only what
    was told is known.
    """
    query = select(steps).where(steps.c.job_id == job.id).order_by(steps.c.position)
    told = {row.position: _cut_off(conn, job, _record(row)) for row in conn.execute(query)}
    names = {position: step.name for position, step in told.items()}
    for position, step in enumerate(manifest.steps if manifest else ()):
        names.setdefault(position, step.name)
    if not told and len(names) == 1:
        return [_only(job, names[0])]
    return [
        told.get(position) or Step(position=position, name=name, status=Status.PENDING)
        for position, name in sorted(names.items())
    ]


def _cut_off(conn: Connection, job: Job, step: Step) -> Step:
    # Whose worker was killed or lost could not tell that it ended.
    goes_on = job.status is Status.RUNNING and step.attempt == job.attempt
    if step.status is not Status.RUNNING or goes_on:
        return step
    since = attempts.of_job(conn, job, latest=max(job.attempt - step.attempt, 0) + 1)
    last = next((each for each in since if each.attempt == step.attempt), None)
    if last is None:
        return step
    ended = Status.STOPPED if last.status is Status.STOPPED else Status.FAILED
    return structs.replace(step, status=ended, finished_at=last.finished_at)


def _only(job: Job, name: str) -> Step:
    began = job.started_at is not None
    waits = job.status in {Status.SCHEDULED, Status.RETRYING} or not began
    return Step(
        position=0,
        name=name,
        status=Status.PENDING if waits else job.status,
        attempt=job.attempt,
        started_at=job.started_at,
        finished_at=job.finished_at if began else None,
        result=job.result,
        error=job.error,
    )


def progress_of(conn: Connection, job_ids: Iterable[int]) -> dict[int, StepProgress]:
    """From where each of the jobs goes on; those that have told of no step are left out."""
    query = (
        select(
            *(steps.c.job_id, steps.c.position, steps.c.status, steps.c.attempt),
            *(steps.c.started_at, steps.c.result, steps.c.checkpoint),
            *(steps.c[name] for name in _COUNTS),
        )
        .where(steps.c.job_id.in_(list(job_ids)))
        .order_by(steps.c.job_id, steps.c.position)
    )
    by_job: dict[int, list[AnyRow]] = {}
    for row in conn.execute(query):
        by_job.setdefault(row.job_id, []).append(row)
    return {job_id: _progress(rows) for job_id, rows in by_job.items()}


def _progress(rows: list[AnyRow]) -> StepProgress:
    done: list[tuple[int, bytes | None]] = []
    checkpoint, counts = None, None
    for row in rows:
        if row.position != len(done):
            break
        if row.status != Code.COMPLETED:
            checkpoint = None if row.checkpoint is None else row.checkpoint.encode()
            counts = _counts(row)
            break
        done.append((row.position, None if row.result is None else row.result.encode()))
    attempt = max(row.attempt for row in rows)
    began = [row.started_at for row in rows if row.started_at and row.attempt == attempt]
    return StepProgress(
        done=done,
        checkpoint=checkpoint,
        counts=counts,
        attempt=attempt,
        began_at=min(began, default=None),
    )


def _counts(row: AnyRow) -> Counts:
    return Counts(**{name: getattr(row, name) for name in _COUNTS})


def _record(row: AnyRow) -> Step:
    return Step(
        position=row.position,
        name=row.name,
        status=Code(row.status).status,
        attempt=row.attempt,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=_counts(row),
        result=decode(row.result),
        error=decode_error(row.error),
    )
