"""An operator does all that Harbor's job service dashboard offers, by REST alone and by commands
alone. After each action the next look already shows what it did; only what a running job has to
do itself is waited for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from jobdeck.cli.main import main
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served
from tests.integration.engine.harness import Deck, wait_for

CODE = """
    @job(queue="IMAGE_SCAN")
    def scan(ctx: Context, n: int = 0) -> None:
        ctx.progress(n, 10, "scanning")
        ctx.sleep(60)

    @job(queue="WEBHOOK")
    def webhook() -> str:
        return "called"

    execution = Pipeline("execution", queue="REPLICATION")

    @execution.step
    def fan_out(ctx: Context, tasks: int) -> None:
        ctx.map(scan, [{"n": n} for n in range(tasks)])

    @execution.step
    def report(ctx: Context) -> str:
        return "done"
"""


class Face(Protocol):
    """What an operator works with; every call answers as the REST call does."""

    def queues(self) -> list[Any]: ...
    def queue(self, name: str, deed: str) -> Any: ...
    def schedules(self) -> list[Any]: ...
    def schedule(self, which: str, deed: str) -> Any: ...
    def pools(self) -> list[Any]: ...
    def workers(self) -> list[Any]: ...
    def free(self, which: str) -> list[Any]: ...
    def create(self, flow: str, **params: Any) -> Any: ...
    def job(self, number: int) -> Any: ...
    def children(self, number: int) -> list[Any]: ...
    def stop(self, number: int) -> Any: ...


class Rest:
    def __init__(self, served: Served) -> None:
        self.served = served

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.served.http.request(method, f"{self.served.url}/api/v1{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def queues(self) -> list[Any]:
        return list(self.ask("GET", "/queues")["items"])

    def queue(self, name: str, deed: str) -> Any:
        return self.ask("POST", f"/queues/{name}/{deed}", {"reason": "walk"})

    def schedules(self) -> list[Any]:
        return list(self.ask("GET", "/schedules")["items"])

    def schedule(self, which: str, deed: str) -> Any:
        return self.ask("POST", f"/schedules/{which}/{deed}", {"reason": "walk"})

    def pools(self) -> list[Any]:
        return list(self.ask("GET", "/pools")["items"])

    def workers(self) -> list[Any]:
        return list(self.ask("GET", "/pools/all/workers")["items"])

    def free(self, which: str) -> list[Any]:
        return list(self.ask("POST", f"/workers/{which}/free", {"reason": "walk"})["items"])

    def create(self, flow: str, **params: Any) -> Any:
        return self.ask("POST", f"/flows/{flow}/jobs", {"params": params})

    def job(self, number: int) -> Any:
        return self.ask("GET", f"/jobs/{number}")

    def children(self, number: int) -> list[Any]:
        return list(self.ask("GET", f"/jobs?parent={number}")["items"])

    def stop(self, number: int) -> Any:
        return self.ask("POST", f"/jobs/{number}/stop", {"reason": "walk"})


class Commands:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def ask(self, *words: str) -> Any:
        self.capsys.readouterr()
        assert main([*words, "--json"]) == 0, self.capsys.readouterr().err
        return json.loads(self.capsys.readouterr().out)

    def queues(self) -> list[Any]:
        return list(self.ask("queues", "list"))

    def queue(self, name: str, deed: str) -> Any:
        answer = self.ask("queues", deed, name, "--reason", "walk")
        return {"items": answer} if isinstance(answer, list) else answer

    def schedules(self) -> list[Any]:
        return list(self.ask("schedules", "list"))

    def schedule(self, which: str, deed: str) -> Any:
        answer = self.ask("schedules", deed, which, "--reason", "walk")
        return {"items": answer} if isinstance(answer, list) else answer

    def pools(self) -> list[Any]:
        return list(self.ask("workers", "list")["pools"])

    def workers(self) -> list[Any]:
        return list(self.ask("workers", "list")["workers"])

    def free(self, which: str) -> list[Any]:
        return list(self.ask("workers", "free", which, "--reason", "walk"))

    def create(self, flow: str, **params: Any) -> Any:
        given = [word for name, value in params.items() for word in ("-p", f"{name}={value}")]
        return self.ask("run", flow, *given)

    def job(self, number: int) -> Any:
        return self.ask("jobs", "show", str(number))

    def children(self, number: int) -> list[Any]:
        return list(self.ask("jobs", "list", f"parent:{number}")["items"])

    def stop(self, number: int) -> Any:
        [outcome] = self.ask("jobs", "stop", str(number), "--reason", "walk")
        return outcome.get("job", outcome)


@pytest.fixture
def deck(store: Store, tmp_path: Path) -> Iterator[Deck]:
    deck = Deck(store, tmp_path)
    deck.define(CODE)
    deck.start_pool(workers=2, grace_s=1)
    deck.start_maintenance()
    yield deck
    deck.close()


@pytest.fixture(params=["rest", "commands"])
def face(
    request: pytest.FixtureRequest,
    deck: Deck,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Face]:
    with Served(deck.store.address) as served:
        if request.param == "rest":
            yield Rest(served)
        else:
            monkeypatch.setenv("JOBDECK_URL", served.url)
            monkeypatch.setenv("JOBDECK_TOKEN", TOKEN)
            yield Commands(capsys)


def test_the_whole_dashboard(face: Face, deck: Deck) -> None:
    execution = face.create("execution", tasks=5)["id"]
    wait_for("two tasks to run", lambda: _busy(face, "scan") == 2)
    _look(face, execution)
    _withdraw(face, execution)
    _pause_and_resume_a_queue(face)
    _pause_all_schedules(face, deck)
    _withdraw_by_one_action(face)
    _stop_and_free_all(face)


def _busy(face: Face, with_: str = "") -> int:
    """How many workers are, with jobs of that name or any."""
    return sum(
        worker["job"] is not None and (worker["job_name"] == with_ or not with_)
        for worker in face.workers()
    )


def _named(face: Face, name: str) -> Any:
    return next(queue for queue in face.queues() if queue["name"] == name)


def _look(face: Face, execution: int) -> None:
    scan = _named(face, "IMAGE_SCAN")
    assert (scan["pending"], scan["running"], scan["paused_at"]) == (3, 2, None)
    assert scan["latency_s"] > 0
    [pool] = [pool for pool in face.pools() if pool["concurrency"] == 2]
    assert {"id", "pid", "started_at", "heartbeat_at"} <= set(pool)
    workers = [worker for worker in face.workers() if worker["pool"] == pool["id"]]
    assert {worker["job_name"] for worker in workers} == {"scan"}
    wait_for("check-ins", lambda: all(w["checked_in_at"] for w in face.workers() if w["job"]))
    job = face.job(execution)
    assert (job["status"], job["waits_for"]) == ("running", 5)
    assert job["progress"] == {"done": 0, "total": 5, "note": "0/5 completed"}


def _withdraw(face: Face, execution: int) -> None:
    """Harbor's steps: stop the queue, free the workers, see the execution stopped."""
    face.queue("IMAGE_SCAN", "stop")
    scan = _named(face, "IMAGE_SCAN")
    assert (scan["pending"], scan["running"]) == (0, 2)
    by_status = [child["status"] for child in face.children(execution)]
    assert sorted(by_status) == ["running", "running", "stopped", "stopped", "stopped"]
    for worker in [worker for worker in face.workers() if worker["job"]]:
        [freed] = face.free(str(worker["id"]))
        assert (freed["job"], freed["error"]) == (worker["job"], "")
        job = face.job(worker["job"])
        assert job["status"] == "stopped" or job["stopping"]
    job = wait_for("the execution to end", lambda: _ended(face, execution))
    assert (job["status"], job["reason"]) == ("stopped", "children_stopped")
    assert {child["status"] for child in face.children(execution)} == {"stopped"}
    assert _busy(face) == 0


def _ended(face: Face, number: int) -> Any:
    job = face.job(number)
    return job if job["status"] in ("completed", "failed", "stopped") else None


def _pause_and_resume_a_queue(face: Face) -> None:
    """So that workers turn to other work; what waits keeps its status."""
    face.queue("IMAGE_SCAN", "pause")
    assert _named(face, "IMAGE_SCAN")["paused_reason"] == "walk"
    waits = face.create("scan")["id"]
    other = face.create("webhook")["id"]
    assert wait_for("other work", lambda: _ended(face, other))["status"] == "completed"
    assert face.job(waits)["status"] == "pending"
    assert _named(face, "IMAGE_SCAN")["pending"] == 1
    face.queue("IMAGE_SCAN", "resume")
    assert _named(face, "IMAGE_SCAN")["paused_at"] is None
    wait_for("it to run", lambda: face.job(waits)["status"] == "running")
    assert face.stop(waits)["stopping"]
    assert wait_for("it to end", lambda: _ended(face, waits))["status"] == "stopped"


def _pause_all_schedules(face: Face, deck: Deck) -> None:
    with deck.store.write() as conn:
        from jobdeck.domain import clock
        from jobdeck.store import schedules

        made = [
            schedules.create(
                conn,
                flow="webhook",
                now=clock.now(),
                cron=cron,
                vendor_type="REPLICATION",
                vendor_id="7",
            ).id
            for cron in ("0 5 * * *", "30 5 * * *")
        ]
    face.schedule(str(made[0]), "pause")
    face.schedule("all", "pause")
    assert _named(face, "SCHEDULER")["paused_at"]
    found = {schedule["id"]: schedule for schedule in face.schedules()}
    assert all(found[number]["held"] and not found[number]["next_at"] for number in made)
    assert (found[made[1]]["vendor_type"], found[made[1]]["cron"]) == ("REPLICATION", "30 5 * * *")
    face.schedule("all", "resume")
    found = {schedule["id"]: schedule for schedule in face.schedules()}
    assert found[made[1]]["next_at"]
    assert found[made[0]]["paused_at"], "its own pause stays"
    assert not found[made[0]]["held"]


def _withdraw_by_one_action(face: Face) -> None:
    execution = face.create("execution", tasks=4)["id"]
    wait_for("two tasks to run", lambda: _busy(face, "scan") == 2)
    assert face.stop(execution)["status"] == "stopped"
    states = face.children(execution)
    assert all(child["status"] == "stopped" or child["stopping"] for child in states)
    wait_for("its tasks to end", lambda: all(_ended(face, c["id"]) for c in states))


def _stop_and_free_all(face: Face) -> None:
    for _ in range(4):
        face.create("scan")
    wait_for("both workers to be busy", lambda: _busy(face) == 2)
    face.queue("all", "stop")
    assert sum(queue["pending"] for queue in face.queues()) == 0
    freed = face.free("all")
    assert [outcome["error"] for outcome in freed] == ["", ""]
    wait_for("the workers to be free", lambda: _busy(face) == 0)
    face.queue("all", "pause")
    assert all(queue["paused_at"] for queue in face.queues() if not queue["builtin"])
    assert not _named(face, "SCHEDULER")["paused_at"], "built-in queues are paused by name"
    face.queue("all", "resume")
    assert not any(queue["paused_at"] for queue in face.queues())
