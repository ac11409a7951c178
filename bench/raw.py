"""What the file system and SQLite allow: claim and finish on one bare table, in one process, by
the driver alone, with no history, counters or workers."""

import tempfile
import time
from pathlib import Path

from jobdeck.store import sqlite

BATCH = 500


def inline(jobs: int) -> float:
    """Jobs claimed and finished a second, so many in one transaction."""
    module = sqlite.module()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        conn = module.connect(f"{folder}/raw.db", isolation_level=None)
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=NORMAL")
        conn.execute("PRAGMA wal_autocheckpoint=10000")
        conn.execute(
            "CREATE TABLE jobs (id INTEGER PRIMARY KEY, status INT, params TEXT, started_at INT, "
            "finished_at INT, result TEXT)"
        )
        conn.execute("CREATE INDEX pending ON jobs (id) WHERE status = 0")
        conn.execute("BEGIN")
        rows = [("{}",)] * jobs
        conn.executemany("INSERT INTO jobs (status, params) VALUES (0, ?)", rows)
        conn.execute("COMMIT")
        claim = (
            "UPDATE jobs SET status = 1, started_at = ? WHERE id IN "
            "(SELECT id FROM jobs WHERE status = 0 ORDER BY id LIMIT ?) RETURNING id, params"
        )
        finish = "UPDATE jobs SET status = 2, finished_at = ?, result = 'null' WHERE id = ?"
        held: list[tuple[int, int]] = []
        began = time.perf_counter()
        while True:
            now = time.time_ns() // 1000
            conn.execute("BEGIN IMMEDIATE")
            conn.executemany(finish, held)
            held = [(now, row[0]) for row in conn.execute(claim, (now, BATCH)).fetchall()]
            conn.execute("COMMIT")
            if not held:
                break
        rate = jobs / (time.perf_counter() - began)
        conn.close()
    return rate
