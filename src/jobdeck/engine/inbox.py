"""What the workers told since the last transaction, to be written in the next."""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import JobError
from jobdeck.engine.handed import Handed
from jobdeck.engine.hints import HintGiver
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store import calls, files, logs, pools, steps
from jobdeck.store.outcomes import Ending
from jobdeck.store.tables import running
from jobdeck.worker.protocol import (
    Call,
    CheckIn,
    FileKept,
    HttpCall,
    LogEntry,
    Logs,
    Outcome,
    StepReport,
    lines_from,
)


class Inbox:
    """Collects by kind; of check-ins and step reports only the newest of each job counts.

    It is cleared once all of it is written, so a database that is away for a while loses
    nothing. `killed` are jobs whose worker was killed because of them, `endings` whatever else
    ended without a report; `came` and `gone` are workers that are ready, and numbers of those
    that have ended.
    """

    def __init__(self) -> None:
        self.outcomes: list[tuple[Handed, Outcome]] = []
        self.calls: list[tuple[WorkerProcess, Call]] = []
        self.killed: list[Handed] = []
        self.endings: list[Ending] = []
        self.came: list[WorkerProcess] = []
        self.gone: list[int] = []
        self._steps: dict[tuple[int, int], StepReport] = {}
        self._logs: list[tuple[int, int, LogEntry]] = []
        self._check_ins: dict[tuple[int, int], CheckIn] = {}
        self._http: list[HttpCall] = []
        self._files: dict[tuple[int, str], FileKept] = {}
        self.touched: set[int] = set()

    def __bool__(self) -> bool:
        heard = self.outcomes or self.calls or self.touched
        return bool(heard or self.killed or self.endings or self.came or self.gone)

    def put(self, message: StepReport | Logs | CheckIn | HttpCall | FileKept) -> None:
        """Keep a report about a job until it is written."""
        self.touched.add(message.job)
        match message:
            case StepReport():
                self._steps[message.job, message.position] = message
            case Logs():
                self._logs += [(message.job, message.attempt, line) for line in message.lines]
            case CheckIn():
                self._check_ins[message.job, message.claim] = message
            case HttpCall():
                self._http.append(message)
            case FileKept():
                self._files[message.job, message.name] = message

    def output(self, job: Handed, stream: str, lines: Iterable[str], at: int) -> None:
        """Lines that arrived at the descriptors themselves. Their numbers are negative, so that
        they do not meet those that the worker gives."""
        self.touched.add(job.claimed.job_id)
        row = job.claimed
        first = lines_from(row.claim, row.attempt)
        for line in lines:
            job.output_lines += 1
            entry = LogEntry(-first - job.output_lines, at, "info", stream, "", line)
            self._logs.append((row.job_id, row.attempt, entry))

    def write(self, conn: Connection, hints: HintGiver, now: Micros) -> None:
        """Write all but the outcomes and the calls."""
        for worker in self.came:
            pools.worker_ready(conn, worker.id, worker.pid, worker.process_started_at)
            pools.set_loaded(conn, worker.pool_id, worker.versions)
        for worker_id in self.gone:
            pools.remove_worker(conn, worker_id)
        if self._steps:
            steps.save(
                conn,
                [
                    _step_row(report, report.error and hints.improve(conn, report.error, now))
                    for report in self._steps.values()
                ],
            )
        if self._logs:
            logs.append(
                conn,
                [
                    (
                        *(job, attempt, line.seq, line.at, line.level, line.stream, line.step),
                        *(line.message, line.fields.decode() if line.fields else None),
                    )
                    for job, attempt, line in self._logs
                ],
            )
        if self._check_ins:
            conn.execute(_CHECK_IN, [_check_in_row(c) for c in self._check_ins.values()])
        if self._http:
            calls.append(
                conn,
                [
                    (
                        *(c.job, c.attempt, c.seq, c.at, c.step, c.method, c.url, c.status),
                        *(c.duration_s, c.request, c.response, c.error),
                    )
                    for c in self._http
                ],
            )
        for kept in self._files.values():
            files.save(conn, kept.job, kept.name, kept.path, kept.size, kept.at, kept.step)

    def parts(self) -> list["Inbox"]:
        """The same in as many inboxes as it holds things."""
        found: list[Inbox] = []

        def part() -> Inbox:
            found.append(Inbox())
            return found[-1]

        for name in ("came", "gone", "_logs", "_http", "outcomes", "killed", "endings", "calls"):
            for each in getattr(self, name):
                getattr(part(), name).append(each)
        for name in ("_steps", "_check_ins", "_files"):
            for key, each in getattr(self, name).items():
                getattr(part(), name)[key] = each
        part().touched |= self.touched
        return found

    def take_in(self, other: "Inbox") -> None:
        """Hold what the other one holds, too."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, list):
                mine += value
            else:
                mine.update(value)

    def clear(self) -> None:
        """All of it is written."""
        self.__init__()  # type: ignore[misc]


_CHECK_IN = (
    update(running)
    .where(running.c.job_id == bindparam("job"), running.c.claim == bindparam("held"))
    .values(
        done=bindparam("so_far"),
        total=bindparam("of"),
        note=bindparam("saying"),
        checked_in_at=bindparam("at"),
    )
)


def _check_in_row(check_in: CheckIn) -> dict[str, int | str | None]:
    return {
        "job": check_in.job,
        "held": check_in.claim,
        "so_far": check_in.done,
        "of": check_in.total,
        "saying": check_in.note,
        "at": check_in.at,
    }


def _step_row(report: StepReport, error: JobError | None) -> steps.StepRow:
    return steps.StepRow(
        job_id=report.job,
        position=report.position,
        name=report.name,
        attempt=report.attempt,
        claim=report.claim,
        status=report.status,
        started_at=report.started_at,
        finished_at=report.finished_at,
        counts=report.counts,
        result=report.result,
        checkpoint=report.checkpoint,
        error=error,
    )
