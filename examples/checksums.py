"""A long job: it tells how far it is, can be stopped at any time, and goes on where it was.

It hashes every file of the Python installation, spread over some minutes so that the disk stays
free for others. Stop it on its page, then retry it from the failed step: it does not begin anew.

    jobdeck run checksums -p minutes=1
"""

import hashlib
import sysconfig
import time
from pathlib import Path

from jobdeck import Context, job

NAME = "SHA256SUMS"
BATCH = 20


# Less urgent than anything else that waits in its queue.
@job(queue="slow", priority=-10, timeout="1h", every="10m")
def checksums(ctx: Context, minutes: float = 3.0) -> dict[str, str | int]:
    """Keep the SHA-256 of each file of Python's standard library."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        path
        for path in folder.rglob("*")
        if "site-packages" not in path.parts and "__pycache__" not in path.parts and path.is_file()
    )
    # What an earlier attempt saved, if there was one and it was stopped, killed or lost.
    first = ctx.checkpoint.get(0)
    began = time.monotonic()
    with ctx.files.open(NAME, "a") as sums:
        for start in range(first, len(files), BATCH):
            batch = files[start : start + BATCH]
            for path in batch:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                sums.write(f"{digest}  {path.relative_to(folder)}\n")
            sums.flush()
            # In this order: a crash between the two repeats some lines, but loses none.
            ctx.checkpoint.save(start + len(batch))
            ctx.counts.add(read=len(batch), written=len(batch), commits=1)
            # Both the progress and the sleep end the job here if somebody asked it to stop.
            ctx.progress(start + len(batch), len(files), note=str(batch[-1].relative_to(folder)))
            due = began + minutes * 60 * (start + len(batch) - first) / len(files)
            ctx.sleep(max(due - time.monotonic(), 0.0))
    return {"files": len(files), "file": NAME}
