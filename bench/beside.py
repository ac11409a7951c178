"""First part: throughput and latency beside peers, on the same machine in the same run."""

from collections import defaultdict

from bench import bare, latency, peers, raw, throughput
from bench.figures import millis, ratio, spread, table
from bench.rig import fresh_store

JOBS = {"sqlite": 200_000, "postgresql": 100_000}
PEER_JOBS = {"celery": 20_000, "pgqueuer": 100_000}
SAMPLES = 200
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


IDLE = """What a call does in 0.06 ms again and again takes several times as long on processors that
have rested for 50 ms, and so do the pool's turn and the worker's start. By the database and sockets
alone means: three processes, one transaction for the job and one for the claim, and nothing else;
that is what the machine allows. See [how quick it is](../docs/explain/speed.md), with what was
tried."""


def measure(runs: int) -> list[str]:
    """The lines of the part."""
    rates: dict[str, list[float]] = defaultdict(list)
    waits: dict[str, list[float]] = defaultdict(list)
    for run in range(runs):
        for database, jobs in JOBS.items():
            _ours(rates, database, jobs)
        rates["raw"].append(raw.inline(JOBS["sqlite"]))
        rates["inline"].append(throughput.inline(JOBS["sqlite"]))
        for name in () if peers.missing() else PEER_JOBS:
            found = getattr(peers, name)(PEER_JOBS[name], SAMPLES // runs)
            rates[f"{name} drain"].append(found.drained)
            rates[f"{name} enqueue"].append(found.enqueued)
            waits[name] += found.waits
        for database, jobs in JOBS.items():
            waits[database] += latency.idle(SAMPLES // runs, 2, database)
            waits[f"{database} bare"] += bare.idle(SAMPLES // runs, database)
            waits[f"{database} draining"] += latency.draining(jobs, 2, database)
        print(
            f"run {run + 1} of {runs}:", {name: round(found[-1]) for name, found in rates.items()}
        )
    return _lines(rates, waits, runs)


def _ours(rates: dict[str, list[float]], database: str, jobs: int) -> None:
    bulk, drained = throughput.drain(jobs, 2, database)
    rates[f"{database} bulk"].append(bulk)
    rates[f"{database} drain"].append(drained)
    with fresh_store(database) as store:
        rates[f"{database} single"].append(throughput.singles(store, 3_000))
    if database == "postgresql":
        rates["postgresql two"].append(throughput.drain(jobs, 2, database, pools=2)[1])


def _lines(rates: dict[str, list[float]], waits: dict[str, list[float]], runs: int) -> list[str]:
    def row(words: str, key: str, budget: str = "") -> list[str]:
        return [words, spread(rates[key]) if rates[key] else "not measured here", budget]

    lines = [
        f"Median of {runs} runs, lowest to highest in brackets. No-op jobs with parameters, from",
        "the first start to the last end; two worker processes; the database, the workers and",
        "whoever enqueues share the machine.",
        "",
    ]
    lines += table(
        ("Jobs run a second", "", "Budget"),
        [
            row(
                "**Jobdeck, SQLite**: one pool, full history and counters", "sqlite drain", "60 000"
            ),
            row("its store alone, in one process (claim and finish)", "inline"),
            row("SQLite alone: claim and finish on one bare table", "raw"),
            row("**Jobdeck, PostgreSQL**: one pool", "postgresql drain", "30 000"),
            row("**Jobdeck, PostgreSQL**: two pools of one worker", "postgresql two", "30 000"),
            row("Celery on Redis, results kept", "celery drain"),
            row("PgQueuer on PostgreSQL, batches of 1 000", "pgqueuer drain"),
        ],
    )
    ratios = [
        ["Jobdeck on SQLite to SQLite alone", ratio(rates["sqlite drain"], rates["raw"]), "0.17"]
    ]
    if rates["celery drain"]:
        ratios.append(
            [
                "Jobdeck on SQLite to Celery on Redis",
                ratio(rates["sqlite drain"], rates["celery drain"]),
                "25",
            ]
        )
        for key, words in (("postgresql drain", "one pool"), ("postgresql two", "two pools")):
            times = ratio(rates[key], rates["pgqueuer drain"])
            ratios.append([f"Jobdeck on PostgreSQL ({words}) to PgQueuer", times, ""])
    lines += table(("Ratio, run by run", "", "Budget"), ratios)
    lines += table(
        ("Jobs enqueued a second", "", "Budget"),
        [
            row("Jobdeck, SQLite, 1 000 a call", "sqlite bulk", "80 000"),
            row("Jobdeck, SQLite, one a call", "sqlite single", "10 000"),
            row("Jobdeck, PostgreSQL, 1 000 a call", "postgresql bulk", "80 000"),
            row("Jobdeck, PostgreSQL, one a call", "postgresql single", "3 000"),
            row("Celery on Redis, one message a call", "celery enqueue"),
            row("PgQueuer, 1 000 a call", "pgqueuer enqueue"),
        ],
    )
    shown = (
        ("Jobdeck, SQLite, idle: from the call to the job's first line", "sqlite", "0.5 / – / 5"),
        ("the same way by SQLite and sockets alone", "sqlite bare", ""),
        ("Jobdeck, PostgreSQL, idle: the same", "postgresql", "1.5 / – / 5"),
        ("the same way by PostgreSQL and sockets alone", "postgresql bare", ""),
        ("Celery on Redis, idle: the same", "celery", ""),
        ("PgQueuer, idle: the same", "pgqueuer", ""),
        ("Jobdeck, SQLite, one enqueue call while a pool drains", "sqlite draining", "– / – / 15"),
        ("Jobdeck, PostgreSQL, the same", "postgresql draining", "– / – / 15"),
    )
    lines += table(
        ("p50 / p95 / p99 in ms", "", "Budget"),
        [[words, millis(waits[key]), budget] for words, key, budget in shown if waits[key]],
    )
    lines += ["", IDLE]
    return lines
