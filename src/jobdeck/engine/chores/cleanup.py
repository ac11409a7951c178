"""Deleting what is older than it is to be kept, kind by kind, oldest first."""

from typing import Any

import msgspec

from jobdeck.actions import cleanup as actions
from jobdeck.actions import files
from jobdeck.domain import clock
from jobdeck.domain.retention import Keep
from jobdeck.engine.chore import Chore
from jobdeck.store import audit, retention

TURN_S = 0.010
FIRST, LEAST, MOST = 100, 50, 500
COUNTED = 2000
"""Rows counted at once where nothing is deleted."""

_WORDS = {
    "logs": "log lines",
    "calls": "API calls",
    "files": "files",
    "payload": "payloads",
    "jobs": "jobs",
    "audit": "rows of the audit",
}


def run(chore: Chore) -> Any:
    """Do a job of it; gives for each kind the rows deleted (or that would be), and their bytes
    where that is known."""
    params = chore.params
    keep = msgspec.convert(params["keep"], Keep)
    dry_run: bool = params.get("dry_run", False)
    memory = chore.memory
    now: int = memory.setdefault("now", clock.now())
    kinds: dict[str, dict[str, int]] = memory.setdefault("kinds", {})
    for kind in retention.KINDS:
        if kinds.get(kind, {}).get("done"):
            continue
        with chore.store.read() as conn:
            end = retention.end(conn, kind, keep, now)
        told = kinds.setdefault(kind, {"rows": 0, "bytes": 0})
        if end:
            _clean(chore, kind, keep, now, end=end, dry_run=dry_run)
        told["done"] = 1
        memory["after"] = None
        if end:
            chore.log(f"{told['rows']:,} {_WORDS[kind]} {'would go' if dry_run else 'deleted'}")
    result = {
        "dry_run": dry_run,
        "kinds": {kind: {n: told[n] for n in ("rows", "bytes")} for kind, told in kinds.items()},
    }
    with chore.transaction() as conn:
        row = audit.oldest(conn, f"job {chore.job_id}", actions.ACTION)
        if row is not None:
            audit.amend(conn, row, {**params, **result})
        chore.note = _summary(kinds, dry_run)
    return result


def _clean(chore: Chore, kind: str, keep: Keep, now: int, *, end: int, dry_run: bool) -> None:
    told = chore.memory["kinds"][kind]
    size = COUNTED if dry_run else FIRST
    after: Any = chore.memory.get("after")
    while True:
        given: dict[str, Any] = {"after": after, "end": end, "limit": size, "dry_run": dry_run}
        with chore.transaction() as conn:
            found = retention.step(conn, kind, keep, now, **given)
            after = found.next
            told["rows"] += found.rows
            told["bytes"] += found.bytes
            chore.memory["after"] = after
            chore.done += found.rows
            chore.counts["written"] = chore.done
            chore.note = f"{_WORDS[kind]}: {told['rows']:,} so far"
        if found.paths and not dry_run:
            files.remove(chore.store, found.paths)
        if after is None:
            return
        if not dry_run:
            fits = size * TURN_S / max(chore.took_s, 0.001)
            size = round(max(min(fits, size * 2, MOST), LEAST))


def _summary(kinds: dict[str, dict[str, int]], dry_run: bool) -> str:
    some = [f"{told['rows']:,} {_WORDS[kind]}" for kind, told in kinds.items() if told["rows"]]
    if not some:
        return "nothing is too old"
    return f"{', '.join(some)} {'would be deleted' if dry_run else 'deleted'}"
