"""The limits and intervals that are not settings, each with the reason for its value."""

RESULT_BYTES = 1_000_000
"""A result is a checkpoint in the database; larger things are files."""

LOG_LINES = 100_000
LOG_CHARS = 20_000_000
"""Lines kept for one attempt, and their characters; a job that prints without end must not fill
the store."""

LOG_LINE_CHARS = 8_000

HEARTBEAT_S = 1.0
LEASE_S = 10.0
"""A pool whose heartbeat others have not seen rise for this long is lost."""

STOP_GRACE_S = 10.0
"""How long a job may take to stop by itself before its process group is killed."""

COROUTINES = 20
COROUTINES_MOST = 200
"""Coroutine jobs that run side by side in one worker, and how many may be asked for."""

PRIORITY_MAX = 1_000_000
"""Far from the ends of the databases' numbers, so that minus a priority is one, too."""

BATCH_JOBS = 500
BATCH_JOBS_SHARED = 200
BATCH_S = 0.010
"""A worker is handed at most so many jobs, or so much measured work, at once; fewer while others
wait for SQLite's lock."""

LOG_PAGE = 10_000
"""Lines of log that one answer holds at most."""
