"""The least that it takes from a call to a job's first line: the same way through the same three
processes by the database's driver alone, with one transaction for the job and one for the claim.

`python -m bench.bare DATABASE ADDRESS HEARD SENT` is what stands for the pool.
"""

import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench import postgres
from jobdeck.store import sqlite

_TABLES = """
CREATE TABLE jobs (
    id {number}, flow_id INT, queue_id INT, params TEXT, status INT, created_at BIGINT
);
CREATE TABLE ready (job_id BIGINT PRIMARY KEY, queue_id INT, flow_id INT, priority INT);
CREATE INDEX lane ON ready (queue_id, flow_id, priority, job_id);
CREATE TABLE running (job_id BIGINT PRIMARY KEY, claim INT, pool_id INT);
CREATE TABLE counters (status INT PRIMARY KEY, n INT);
INSERT INTO counters VALUES (0, 0);
"""
_ENQUEUE = """
WITH new AS (
    INSERT INTO jobs (flow_id, queue_id, params, status, created_at) VALUES (1, 1, '{}', 0, 0)
    RETURNING id
), waiting AS (INSERT INTO ready SELECT id, 1, 1, 0 FROM new),
counted AS (UPDATE counters SET n = n + 1 WHERE status = 0)
SELECT pg_notify('bare', '') FROM new
"""
_CLAIM = """
WITH gone AS (
    DELETE FROM ready WHERE job_id = (
        SELECT job_id FROM ready WHERE queue_id = 1 AND flow_id = 1
        ORDER BY priority, job_id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING job_id
), taken AS (INSERT INTO running SELECT job_id, 1, 1 FROM gone RETURNING job_id)
SELECT job_id, params FROM taken JOIN jobs ON jobs.id = taken.job_id
"""
_WORKER = """
import socket, sys, time
pool = socket.socket(fileno=int(sys.argv[1]))
while pool.recv(64):
    began = time.monotonic_ns()
    print(began, flush=True)
"""
PAUSE_S = 0.05


def idle(samples: int, database: str) -> list[float]:
    """Seconds from just before each call to the first line of the job, when nothing else is to
    do."""
    with _place(database) as address, _processes(database, address) as (poke, worker):
        connection = _connect(database, address)
        found = []
        for sample in range(samples + 10):
            time.sleep(PAUSE_S)
            asked = time.monotonic_ns()
            if database == "sqlite":
                _enqueue_sqlite(connection)
                poke.send(b"1")
            else:
                connection.execute(_ENQUEUE)
            began = int(worker.readline())
            if sample >= 10:
                found.append((began - asked) / 1e9)
        connection.close()
        return found


@contextmanager
def _place(database: str) -> Iterator[str]:
    if database == "postgresql":
        with postgres.server() as address:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(_TABLES.format(number="BIGSERIAL PRIMARY KEY").encode())
            yield address
        return
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        address = f"{folder}/bare.db"
        connection = _connect("sqlite", address)
        connection.executescript(_TABLES.format(number="INTEGER PRIMARY KEY AUTOINCREMENT"))
        connection.close()
        yield address


def _connect(database: str, address: str) -> Any:
    if database == "postgresql":
        return psycopg.connect(address, autocommit=True)
    connection = sqlite.module().connect(address, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@contextmanager
def _processes(database: str, address: str) -> Iterator[tuple[socket.socket, Any]]:
    """The pool and its worker; gives what wakes the pool, and what the worker says."""
    poke, heard = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent, taken = socket.socketpair()
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(taken.fileno())],
        pass_fds=[taken.fileno()],
        stdout=subprocess.PIPE,
    )
    fds = (heard.fileno(), sent.fileno())
    pool = subprocess.Popen(
        [sys.executable, "-m", "bench.bare", database, address, *map(str, fds)],
        pass_fds=fds,
        stdout=subprocess.PIPE,
    )
    assert worker.stdout
    assert pool.stdout
    try:
        pool.stdout.readline()
        yield poke, worker.stdout
    finally:
        for process in (pool, worker):
            process.kill()
            process.wait()
        for each in (poke, heard, sent, taken):
            each.close()


def _enqueue_sqlite(connection: Any) -> None:
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    made = execute(
        "INSERT INTO jobs (flow_id, queue_id, params, status, created_at) VALUES (1, 1, '{}', 0, 0)"
    )
    execute("INSERT INTO ready VALUES (?, 1, 1, 0)", (made.lastrowid,))
    execute("UPDATE counters SET n = n + 1 WHERE status = 0")
    execute("COMMIT")


def _claim_sqlite(connection: Any) -> Any:
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    row = execute(
        "SELECT job_id, params FROM ready JOIN jobs ON jobs.id = job_id "
        "WHERE ready.queue_id = 1 AND ready.flow_id = 1 ORDER BY priority, job_id LIMIT 1"
    ).fetchone()
    if row:
        execute("INSERT INTO running VALUES (?, 1, 1)", row[:1])
        execute("DELETE FROM ready WHERE job_id = ?", row[:1])
    execute("COMMIT")
    return row


def pool(database: str, address: str, heard: socket.socket, sent: socket.socket) -> None:
    """Claim whenever it is woken, and hand over what it gets."""
    connection, ear = _connect(database, address), _connect(database, address)
    selector = selectors.DefaultSelector()
    if database == "postgresql":
        ear.execute("LISTEN bare")
        selector.register(ear.fileno(), selectors.EVENT_READ)
    else:
        selector.register(heard, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        selector.select()
        if database == "postgresql":
            list(ear.notifies(timeout=0))
            row = connection.execute(_CLAIM).fetchone()
        else:
            heard.recv(16)
            row = _claim_sqlite(connection)
        if row:
            sent.send(f"{row[0]} {row[1]}".encode())


if __name__ == "__main__":
    pool(sys.argv[1], sys.argv[2], *(socket.socket(fileno=int(fd)) for fd in sys.argv[3:]))
