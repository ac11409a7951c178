"""A fresh store with a pool beside it, as the measurements need it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobdeck.domain import clock
from jobdeck.store import flows, pipelines, schema
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from jobdeck.worker.loader import load_manifests

PIPELINES = Path(__file__).with_name("pipelines.py")

_POOL = """
import sys
from jobdeck.engine.pool import Pool, PoolOptions
from jobdeck.store.database import Store
Pool(Store(sys.argv[1]), PoolOptions(target=sys.argv[2], workers=int(sys.argv[3]))).run()
"""


@contextmanager
def fresh_store() -> Iterator[Store]:
    """A store on SQLite, in the working directory's file system, with the pipelines of the
    measurements published; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))
    store = Store(f"sqlite:///{folder / 'bench.db'}")
    try:
        schema.ensure(store)
        report = load_manifests(str(PIPELINES))
        with store.write() as conn:
            for manifest in report.pipelines:
                pipelines.register(conn, manifest, clock.now(), publish=True)
        yield store
    finally:
        store.close()
        shutil.rmtree(folder)


@contextmanager
def pool(store: Store, workers: int) -> Iterator[subprocess.Popen[bytes]]:
    """A pool process on the store."""
    process = subprocess.Popen(
        [sys.executable, "-c", _POOL, store.address, str(PIPELINES), str(workers)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def new_job(store: Store, flow: str, params: str) -> NewJob:
    """A job of that flow, to be enqueued."""
    with store.read() as conn:
        target = flows.target(conn, flow)
    return NewJob(flow_id=target.flow_id, queue_id=target.queue_id, params=params)
