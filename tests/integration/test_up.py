"""`jobdeck up` runs jobs, survives the death of any of its processes, and leaves nothing."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.integration.launched import Launched, alive, command_of, environment, until

JOBDECK = [sys.executable, "-m", "jobdeck.cli"]
PIPELINES = """
from jobdeck import Context, job


@job
def double(n: int = 1) -> int:
    return 2 * n


@job(retries=2)
def slow(ctx: Context) -> str:
    if ctx.attempt == 1:
        ctx.sleep(300)
    return "slept"
"""
CHANGED = PIPELINES.replace("2 * n", "3 * n")
BROKEN = PIPELINES + "\nraise RuntimeError('not like this')\n"

ROLES = ("web", "maintenance", "pool")

Up = Callable[..., Launched]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(PIPELINES)
    return tmp_path


@pytest.fixture
def up(folder: Path) -> Up:
    def start(*more: str, target: str = "work.py", **settings: str) -> Launched:
        argv = [*JOBDECK, "up", target, "--port", "0", "--workers", "1", *more]
        return Launched(argv, cwd=folder, env=environment(**settings))

    return start


def api(link: tuple[str, str]) -> AbstractContextManager[httpx.Client]:
    """Calls as the administrator that the link signs in."""
    address, token = link
    transport = httpx.HTTPTransport(retries=3)
    return httpx.Client(
        base_url=f"{address}/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        transport=transport,
        timeout=40,
        trust_env=False,
    )


def run_job(calls: httpx.Client, flow: str, **params: Any) -> dict[str, Any]:
    """The job when it has ended."""
    made = calls.post(f"/flows/{flow}/jobs?wait=30", json={"params": params})
    assert made.status_code == 200, made.text
    job: dict[str, Any] = made.json()
    return job


def test_runs_jobs_and_ends_with_nothing_left(up: Up) -> None:
    with up() as running:
        link = running.link()
        assert httpx.get(f"{link[0]}/healthz", trust_env=False).status_code == 200
        with api(link) as calls:
            job = run_job(calls, "double", n=21)
        assert (job["status"], job["result"]) == ("completed", 42)
        assert "Traceback" not in running.said()
        assert running.end(signal.SIGINT) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_children_start_can_be_interrupted(up: Up) -> None:
    with up() as running:
        running.link()
        for role in ROLES:
            # What is ignored here would be ignored by everything that it starts.
            status = Path(f"/proc/{running.child(role).pid}/status").read_text()
            ignored = int(status.split("SigIgn:")[1].split()[0], 16)
            assert not ignored & (1 << (signal.SIGINT - 1) | 1 << (signal.SIGTERM - 1)), role


def running_job(calls: httpx.Client) -> str:
    """The number of a job that runs for long, once that is recorded: what a pool has known to
    run for a few milliseconds only is not, and would not be counted as an attempt."""
    number: str = calls.post("/flows/slow/jobs", json={}).json()["id"]
    until(lambda: status(calls, number) == "running", "the beginning of the job")
    return number


def status(calls: httpx.Client, number: str) -> str:
    answer: str = calls.get(f"/jobs/{number}").json()["status"]
    return answer


def test_ends_within_its_time_while_a_job_runs_and_a_page_listens(up: Up) -> None:
    with up() as running:
        link = running.link()
        with api(link) as calls:
            running_job(calls)
            with calls.stream("GET", "/events") as events:
                assert events.status_code == 200
                assert running.end(signal.SIGTERM) == 0


def test_starts_a_killed_process_again(up: Up) -> None:
    with up() as running, api(running.link()) as calls:
        for n, role in enumerate(ROLES):
            assert run_job(calls, "double", n=1)["status"] == "completed"
            old = running.child(role)
            old.kill()
            until(partial(gone, old), f"the end of {role}")
            assert running.child(role).pid != old.pid
            job = run_job(calls, "double", n=n)
            assert (job["status"], job["result"]) == ("completed", 2 * n), role
            assert f"{role} was killed by SIGKILL" in running.said()
        assert running.end() == 0


def contents(folder: Path) -> list[Path]:
    """What is in the folder, but for what Python itself may keep there."""
    return sorted(path for path in folder.iterdir() if path.name != "__pycache__")


def gone(process: psutil.Process) -> bool:
    return not alive(process)


def test_a_job_survives_the_death_of_its_pool(up: Up) -> None:
    with up() as running:
        link = running.link()
        with api(link) as calls:
            number = running_job(calls)
            workers = running.child("pool").children()
            running.child("pool").kill()
            until(lambda: not any(alive(worker) for worker in workers), "the end of its workers")
            until(lambda: status(calls, number) == "completed", "the end of the job", 60)
            tries = calls.get(f"/jobs/{number}/attempts").json()["items"]
            assert [(t["status"], t["reason"]) for t in tries] == [
                ("pending", "worker_lost"),
                ("completed", None),
            ]
            page = calls.get(f"{link[0]}/jobs/{number}").text
            assert "was lost" in page
        assert running.end() == 0


def test_nothing_outlives_a_killed_supervisor(up: Up) -> None:
    with up() as running:
        running.link()
        running.child("pool")
        until(lambda: len(running.descendants()) == 4, "web, maintenance, pool and a worker")
        running.process.kill()
        running.process.wait()
        running.expect_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_start_that_is_broken_off(
    up: Up, folder: Path, number: signal.Signals
) -> None:
    (folder / "hangs.py").write_text("import time\ntime.sleep(1000)\n")
    before = contents(folder)
    with up(target="hangs.py") as starting:
        until(
            lambda: any(
                "jobdeck.worker.load" in command_of(each) for each in starting.descendants()
            ),
            "the loader",
        )
        assert starting.end(number) != 0
        assert "Traceback" not in starting.said()
    assert contents(folder) == before


def test_starts_without_a_target(folder: Path) -> None:
    argv = [*JOBDECK, "up", "--port", "0"]
    with Launched(argv, cwd=folder, env=environment()) as running:
        link = running.link()
        assert "no pipelines" in running.said()
        with api(link) as calls:
            assert calls.get("/jobs").json()["items"] == []
        assert running.end() == 0


def test_a_base_path_is_in_every_address(up: Up) -> None:
    with up("--base-path", "/deck") as running:
        link = running.link()
        assert link[0].endswith("/deck")
        with api(link) as calls:
            assert run_job(calls, "double", n=2)["result"] == 4
        assert running.end() == 0


def test_two_starts_share_one_store(up: Up, folder: Path) -> None:
    with up() as first, up() as second:
        with api(first.link()) as calls, api(second.link()) as others:
            number = run_job(calls, "double", n=2)["id"]
            assert others.get(f"/jobs/{number}").json()["status"] == "completed"
            until(lambda: len(others.get("/pools").json()["items"]) == 2, "two pools")
        assert first.end() == 0
        assert second.end() == 0


def test_reload_takes_a_change_and_keeps_the_old_code_while_it_is_wrong(
    up: Up, folder: Path
) -> None:
    target = folder / "work.py"
    with up("--reload") as running:
        with api(running.link()) as calls:
            assert run_job(calls, "double", n=2)["result"] == 4
            watcher = running.child("watch")
            until(lambda: _watches(watcher, folder), "the watch over the files")
            target.write_text(BROKEN)
            running.wait_for("not like this")
            assert run_job(calls, "double", n=2)["result"] == 4
            target.write_text(CHANGED)
            running.wait_for("new code loaded")
            assert run_job(calls, "double", n=2)["result"] == 6
        assert running.end() == 0


def _watches(process: psutil.Process, folder: Path) -> bool:
    """Whether it has asked the system to tell it of changes there, where that can be seen."""
    open_files = Path(f"/proc/{process.pid}/fdinfo")
    if not open_files.exists():
        time.sleep(1)
        return True
    told = ""
    for each in open_files.iterdir():
        with contextlib.suppress(OSError):  # it is closed meanwhile
            told += each.read_text()
    return any(
        line.startswith("inotify ") and f" ino:{folder.stat().st_ino:x} " in line
        for line in told.splitlines()
    )


def test_new_files_run_out_of_the_box(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    made = Launched([*JOBDECK, "new", str(folder)], cwd=tmp_path, env=environment())
    with made:
        assert made.process.wait(60) == 0
    argv = [*JOBDECK, "up", "pipelines.py", "--reload", "--port", "0"]
    with Launched(argv, cwd=folder, env=environment()) as running:
        with api(running.link()) as calls:
            assert run_job(calls, "hello", name="Ada")["result"] == "Hello, Ada!"
            job = run_job(calls, "folder_report")
            assert job["status"] == "completed"
            assert job["result"]["files"] >= 2
        assert running.end() == 0
    assert (folder / "jobdeck.db").exists()


class TestRefusals:
    """Each says one clear sentence, and nothing has begun."""

    def refused(self, folder: Path, *argv: str, code: int = 1, **settings: str) -> str:
        before = contents(folder)
        with Launched([*JOBDECK, *argv], cwd=folder, env=environment(**settings)) as tried:
            assert tried.process.wait(30) == code, tried.said()
            tried.expect_gone()
            said = tried.said()
        assert contents(folder) == before, "something was left behind"
        assert "Traceback" not in said
        lines = said.strip().splitlines()
        assert len(lines) == 1, said
        return lines[0]

    def test_a_missing_target(self, folder: Path) -> None:
        assert "nothere.py" in self.refused(folder, "up", "nothere.py", "--port", "0")

    @pytest.mark.parametrize(
        ("code", "says"),
        [
            ("import not_installed_here", "not_installed_here"),
            ("x = 1 / 0", "division by zero"),
            ("x = (", "line 1"),
            ("x = 1", "defines no pipelines"),
        ],
    )
    def test_a_target_that_does_not_load(self, folder: Path, code: str, says: str) -> None:
        (folder / "bad.py").write_text(code)
        assert says in self.refused(folder, "up", "bad.py", "--port", "0")

    def test_a_port_in_use(self, folder: Path) -> None:
        import socket

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            said = self.refused(folder, "up", "work.py", "--port", port)
        assert port in said
        assert "--port" in said

    def test_an_open_address_without_a_token(self, folder: Path) -> None:
        said = self.refused(folder, "up", "work.py", "--port", "0", "--host", "0.0.0.0")
        assert "JOBDECK_TOKEN" in said

    def test_a_store_that_is_something_else(self, folder: Path) -> None:
        with sqlite3.connect(folder / "other.db") as other:
            other.execute("CREATE TABLE cats (name TEXT)")
        other.close()
        argv = ["up", "work.py", "--port", "0", "--store", "sqlite:///other.db"]
        assert "cats" in self.refused(folder, *argv)

    def test_a_store_that_is_damaged(self, folder: Path) -> None:
        (folder / "jobdeck.db").write_bytes(b"\xff" * 10_000)
        assert "damaged" in self.refused(folder, "up", "work.py", "--port", "0")

    def test_a_store_of_a_newer_version(self, folder: Path) -> None:
        with sqlite3.connect(folder / "jobdeck.db") as newer:
            newer.execute("CREATE TABLE jobdeck_version (version_num VARCHAR(32))")
            newer.execute("INSERT INTO jobdeck_version VALUES ('9999')")
        newer.close()
        said = self.refused(folder, "up", "work.py", "--port", "0")
        assert "9999" in said
        assert "Upgrade" in said

    def test_a_store_in_a_folder_that_is_not_there(self, folder: Path) -> None:
        argv = ["up", "work.py", "--port", "0", "--store", "sqlite:////not/here/x.db"]
        assert "/not/here" in self.refused(folder, *argv)

    def test_what_is_no_address_of_a_store(self, folder: Path) -> None:
        argv = ["up", "work.py", "--port", "0", "--store", "mysql://x"]
        assert "mysql://x" in self.refused(folder, *argv, code=2)

    def test_a_file_of_settings_that_is_wrong(self, folder: Path) -> None:
        (folder / "jobdeck.toml").write_text("porrt = 1")
        assert "porrt" in self.refused(folder, "up", "work.py", code=2)

    @pytest.mark.parametrize(
        "argv",
        [
            ("up", "work.py", "--port", "99999"),
            ("up", "work.py", "--port", "x"),
            ("up", "work.py", "--workers", "-1"),
            ("up", "work.py", "--demo"),
            ("up", "--reload"),
            ("up", "work.py", "--base-path", "/a b"),
            ("worker",),
            ("nothing",),
        ],
    )
    def test_wrong_usage(self, folder: Path, argv: tuple[str, ...]) -> None:
        self.refused(folder, *argv, code=2)

    def test_an_executor_that_is_not_there_yet(self, folder: Path) -> None:
        argv = ["worker", "work.py", "--executor", "celery"]
        assert "not available yet" in self.refused(folder, *argv)

    def test_new_where_files_are(self, folder: Path) -> None:
        (folder / "jobdeck.toml").write_text("")
        assert "nothing was written" in self.refused(folder, "new")
