"""PgQueuer on PostgreSQL: `pgqueuer_app.py ADDRESS JOBS SAMPLES` measures and prints one line of
JSON; `pgqueuer_app.py ADDRESS` is one of its workers."""

import asyncio
import json
import subprocess
import sys
import time

import asyncpg
import notes
import uvloop
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

BATCH = 1000
PAYLOAD = b'{"to": "ana@example.org", "subject": "Your weekly report"}'


async def work(address: str) -> None:
    """Run jobs until ended."""
    connection = await asyncpg.connect(address)
    queuer = PgQueuer(AsyncpgDriver(connection))
    starts = notes.Notes()

    @queuer.entrypoint("noop")  # type: ignore[untyped-decorator]
    async def noop(job: Job) -> None:
        starts.start()

    await queuer.run(batch_size=BATCH)


async def measure(address: str, jobs: int, samples: int) -> None:
    """Enqueue, drain, then wait for single jobs."""
    connection = await asyncpg.connect(address)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    began = time.perf_counter()
    for _ in range(jobs // BATCH):
        await queries.enqueue(["noop"] * BATCH, [PAYLOAD] * BATCH, [0] * BATCH)
    enqueued = jobs / (time.perf_counter() - began)
    workers = [subprocess.Popen([sys.executable, __file__, address]) for _ in range(2)]
    try:
        while notes.count() < jobs:
            await asyncio.sleep(0.05)
        drained = notes.rate(jobs)
        waits = []
        for _ in range(samples):
            await asyncio.sleep(0.05)
            known = notes.count()
            asked = time.monotonic_ns()
            await queries.enqueue(["noop"], [PAYLOAD], [0])
            while notes.count() == known:
                await asyncio.sleep(0.002)
            waits.append((notes.read()[-1] - asked) / 1e9)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(30)
    print(json.dumps({"drained": drained, "enqueued": enqueued, "waits": waits}))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        uvloop.run(work(sys.argv[1]))
    else:
        uvloop.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
