"""Writing all jobs that a filter means into a file, which the job keeps."""

from pathlib import Path
from typing import Any

import msgspec

from jobdeck.domain import clock, export
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.engine.chore import Chore
from jobdeck.store import files, jobs, listing

PAGE = 500
"""Jobs read and written at once."""


def run(chore: Chore) -> Any:
    """Do a job of it; gives the name of the file and how many jobs stand in it."""
    params = chore.params
    format_ = export.check_format(params["format"])
    name = f"jobs-{chore.job_id}.{format_}"
    path = chore.store.files / str(chore.job_id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{name}.part")
    if not chore.memory:
        part.write_bytes(export.head(format_).encode())
        chore.memory = {"after": 0, "size": part.stat().st_size}
    if chore.memory["after"] is not None:
        _write(chore, part, format_)
    with chore.transaction() as conn:
        # An earlier attempt may have come so far.
        if part.exists():
            part.replace(path)
        size = path.stat().st_size
        files.save(
            conn, chore.job_id, name, f"{chore.job_id}/{name}", size, clock.now(), chore.step
        )
        chore.note = f"{chore.done:,} jobs in {name}"
        chore.log(chore.note)
    return {"file": name, "jobs": chore.done, "bytes": size}


def _write(chore: Chore, part: Path, format_: str) -> None:
    memory = chore.memory
    with part.open("r+b") as file:
        # What was written after the last thing that is known of is written again.
        file.truncate(memory["size"])
        file.seek(memory["size"])
        while memory["after"] is not None:
            found, after = _page(chore, memory["after"])
            now = clock.now()
            file.write("".join(export.line(job, format_, now) for job in found).encode())
            file.flush()
            with chore.transaction():
                memory |= {"after": after, "size": file.tell()}
                chore.done += len(found)
                chore.counts |= {"read": chore.done, "written": chore.done}
                chore.note = f"{chore.done:,} jobs written"


def _page(chore: Chore, after: int) -> tuple[list[Job], int | None]:
    """The next jobs, and after which number to go on; None: that was all."""
    params = chore.params
    with chore.store.read() as conn:
        if "ids" in params:
            ids = [each for each in params["ids"] if each > after][:PAGE]
            return jobs.load(conn, ids), ids[-1] if len(ids) == PAGE else None
        wanted = msgspec.convert(params["matching"], JobFilter)
        ids, last = listing.numbers(
            conn, wanted, after=after, upto=params["upto"], limit=PAGE, now=clock.now()
        )
        return jobs.load(conn, ids), last
