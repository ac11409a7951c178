"""Third part: where a pool's time goes while it drains, sampled inside its process."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench import throughput
from bench.figures import table
from bench.rig import PIPELINES, fresh_store
from jobdeck.domain.states import Status
from jobdeck.store import counters

JOBS = 300_000
TOP = 18

# The processor's time is what is sampled, so waiting does not count.
_POOL = """
import collections, json, signal, sys
from jobdeck.engine.options import PoolOptions
from jobdeck.engine.pool import Pool
from jobdeck.store.database import Store
seen = collections.Counter()
def sample(_number, frame):
    stack = []
    while frame:
        code = frame.f_code
        file = "/".join(code.co_filename.split("/")[-2:])
        stack.append(f"{file}:{code.co_qualname}")
        frame = frame.f_back
    seen["|".join(stack)] += 1
signal.signal(signal.SIGPROF, sample)
signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
Pool(Store(sys.argv[1]), PoolOptions(target=sys.argv[2], workers=2)).run()
signal.setitimer(signal.ITIMER_PROF, 0)
json.dump(seen, open(sys.argv[3], "w"))
"""

STATIONS = (
    ("write the jobs' own rows", "store/outcomes.py:close"),
    ("end claims", "store/claims.py:release"),
    ("count, and keep the volume", "store/outcomes.py:_count"),
    ("take from `ready` into `running`", "store/claims.py:_take_sqlite"),
    ("find the next jobs", "store/claims.py:_candidates_sqlite"),
    ("read what others ask for", "engine/pool.py:Pool._look_around"),
    ("begin and commit", "store/database.py:Store.write"),
    ("make endings of outcomes", "engine/endings.py:of_outcome"),
    ("share out among the workers", "engine/dispatch.py:Dispatch._share"),
    ("describe and send jobs", "engine/workers.py:WorkerProcess.hand"),
    ("describe and send jobs", "engine/dispatch.py:spec_of"),
    ("hear the workers", "engine/crew.py:Crew.hear"),
)


def measure(_runs: int) -> list[str]:
    """The lines of the part."""
    stacks = _sample()
    total = sum(stacks.values())
    spent: Counter[str] = Counter()
    for stack, n in stacks.items():
        spent[_station(stack.split("|"))] += n
    rows = [[words, f"{n / total:.0%}"] for words, n in spent.most_common() if n / total >= 0.01]
    leaves: Counter[str] = Counter()
    for stack, n in stacks.items():
        leaves[stack.split("|", 1)[0]] += n
    top = [[f"`{name}`", f"{n / total:.0%}"] for name, n in leaves.most_common(TOP)]
    return [
        f"A pool on SQLite that drains {JOBS:,} no-op jobs by two workers, sampled every 2 ms of",
        f"its processor time ({total:,} samples).",
        "",
        *table(("What it does", "Of its time"), rows),
        "The functions on top of the stack (a call into SQLite counts for the one that makes it):",
        "",
        *table(("Function", "Of its time"), top),
    ]


def _station(stack: list[str]) -> str:
    for frame in stack:
        for words, mark in STATIONS:
            if frame.endswith(mark):
                return words
    return "the rest of its turn" if any("Pool._turn" in frame for frame in stack) else "starting"


def _sample() -> dict[str, int]:
    with fresh_store() as store, tempfile.TemporaryDirectory() as folder:
        throughput.preload(store, JOBS)
        answer = Path(folder) / "stacks.json"
        command = [sys.executable, "-c", _POOL, store.address, str(PIPELINES), str(answer)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        throughput.wait_until_done(store)
        process.terminate()
        process.wait(30)
        with store.read() as conn:
            assert counters.totals(conn)[Status.COMPLETED] == JOBS
        stacks: dict[str, int] = json.loads(answer.read_text())
        return stacks
