"""Celery on Redis: `celery_app.py REDIS JOBS SAMPLES` measures and prints one line of JSON."""

import json
import os
import subprocess
import sys
import time

import notes
from celery import Celery

app = Celery("peer")
app.conf.update(
    broker_url=os.environ.get("PEER_REDIS", ""),
    result_backend=os.environ.get("PEER_REDIS", ""),
    worker_prefetch_multiplier=1000,
    broker_connection_retry_on_startup=True,
)
starts = notes.Notes()


@app.task(name="peer.noop")  # type: ignore[untyped-decorator]
def noop(to: str = "", subject: str = "") -> None:
    """Does nothing but note that it started."""
    starts.start()


def enqueue(jobs: int) -> float:
    """Send so many messages, one by one over one connection, as Celery has no other way."""
    began = time.perf_counter()
    with app.producer_or_acquire() as producer:
        for _ in range(jobs):
            noop.apply_async(
                kwargs={"to": "ana@example.org", "subject": "Your weekly report"},
                producer=producer,
            )
    return jobs / (time.perf_counter() - began)


def main(address: str, jobs: int, samples: int) -> None:
    """Enqueue, drain, then wait for single jobs."""
    os.environ["PEER_REDIS"] = address
    app.conf.update(broker_url=address, result_backend=address)
    enqueued = enqueue(jobs)
    command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--concurrency", "2"]
    command += [
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "--loglevel",
        "ERROR",
    ]
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "C_FORCE_ROOT": "1"}  # noqa: PTH120
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        notes.wait_for(jobs, 0.05)
        drained = notes.rate(jobs)
        waits = []
        for _ in range(samples):
            time.sleep(0.05)
            known = notes.count()
            asked = time.monotonic_ns()
            noop.delay()
            notes.wait_for(known + 1, 0.002)
            waits.append((notes.read()[-1] - asked) / 1e9)
    finally:
        worker.terminate()
        worker.wait(30)
    print(json.dumps({"drained": drained, "enqueued": enqueued, "waits": waits}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
