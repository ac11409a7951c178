"""A fresh store with pools beside it, as the measurements need them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench import postgres
from jobdeck.client.store_transport import StoreTransport
from jobdeck.domain import clock
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import flows, pipelines, schema
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from jobdeck.worker.loader import load_manifests

DATABASES = ("sqlite", "postgresql")
PIPELINES = Path(__file__).with_name("pipelines.py")

_POOL = """
import sys
from jobdeck.engine.options import PoolOptions
from jobdeck.engine.pool import Pool
from jobdeck.store.database import Store
Pool(Store(sys.argv[1]), PoolOptions(target=sys.argv[2], workers=int(sys.argv[3]))).run()
"""


@contextmanager
def fresh_store(database: str = "sqlite") -> Iterator[Store]:
    """An empty store with the pipelines of the measurements published; removed afterwards. On
    SQLite it is in the working directory's file system."""
    if database == "postgresql":
        with postgres.server() as address, opened(address) as store:
            yield store
        return
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))
    try:
        with opened(f"sqlite:///{folder / 'bench.db'}") as store:
            yield store
    finally:
        shutil.rmtree(folder)


@contextmanager
def opened(address: str) -> Iterator[Store]:
    """The store there, with the pipelines of the measurements published."""
    store = Store(address)
    try:
        schema.ensure(store)
        report = load_manifests(str(PIPELINES))
        with store.write() as conn:
            for manifest in report.pipelines:
                pipelines.register(conn, manifest, clock.now(), publish=True)
        yield store
    finally:
        store.close()


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


def new_job(store: Store, flow: str, params: str = "{}", priority: int = 0) -> NewJob:
    """A job of that flow, to be enqueued."""
    with store.read() as conn:
        target = flows.target(conn, flow)
    return NewJob(
        flow_id=target.flow_id, queue_id=target.queue_id, params=params, priority=priority
    )


def caller(store: Store, flow: str, params: dict[str, Any] | None = None) -> Callable[[], int]:
    """The call that `enqueue` of a job makes, for one job of that flow; gives its number."""
    transport = StoreTransport(store)
    items = [EnqueueItem(flow=flow, params=params or {})]
    return lambda: transport.enqueue(items)[0]


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The process and all that it has started."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def memory_mb(processes: list[psutil.Process]) -> float:
    """What they take together in megabytes, shared pages divided among those who share them."""
    return sum(each.memory_full_info().pss for each in processes) / 1e6


def cpu_s(processes: list[psutil.Process]) -> float:
    """The time of a processor that they have used so far."""
    return sum(sum(each.cpu_times()[:2]) for each in processes)
