"""What pools and their workers are started with."""

from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from jobdeck.domain.limits import COROUTINES, STOP_GRACE_S


class PoolOptions(Struct, frozen=True, kw_only=True):
    """What a pool is started with: what its workers load, how many they are, the queues it
    serves (none named: all), seconds a job has to stop by itself, and seconds that running jobs
    may go on after the pool was told to end. A job may take `worker_memory` bytes (None: any
    amount), a worker is replaced after `worker_jobs` jobs (0: never), and runs at most
    `coroutines` coroutine jobs side by side."""

    target: str
    workers: int
    queues: frozenset[str] = frozenset()
    grace_s: float = STOP_GRACE_S
    drain_s: float = 5.0
    worker_memory: int | None = None
    worker_jobs: int = 0
    coroutines: int = COROUTINES


class WorkerOptions(NamedTuple):
    """How a worker is started: what it loads, the folder of files, the bytes of memory that it
    may take (None: any amount), after how many jobs it ends (0: never), and how many
    coroutine jobs it runs side by side."""

    target: str
    files: Path
    memory: int | None = None
    jobs: int = 0
    coroutines: int = 1
