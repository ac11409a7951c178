"""Every command does its work, on a store and on a server alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobdeck.cli.main import main
from tests.integration.launched import Launched, environment, until

PIPELINES = '''
from dataclasses import dataclass
from pathlib import Path

from jobdeck import Context, Pipeline, job


@job
def double(ctx: Context, n: int = 1, label: str = "") -> dict:
    """Twice as much."""
    ctx.log.info("doubling", n=n)
    print("printed")
    return {"n": 2 * n, "label": label}


@job(queue="aside")
def aside() -> None:
    pass


@job
def fails(message: str = "no") -> None:
    raise ValueError(message)


@job
def slow(ctx: Context, seconds: float = 60) -> None:
    for done in range(100):
        ctx.progress(done, 100, note="going on")
        ctx.sleep(seconds / 100)


both = Pipeline("both", schedule="0 5 * * *")


@both.step
def first() -> int:
    return 1


@both.step
def second(number: int) -> int:
    return number + 1
'''


class Ran(NamedTuple):
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


Jobdeck = Callable[..., Ran]


class Served(NamedTuple):
    folder: Path
    link: tuple[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Everything running on a store of its own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "work.py").write_text(PIPELINES)
    argv = [sys.executable, "-m", "jobdeck.cli", "up", "work.py", "--port", "0", "--workers", "2"]
    with Launched(argv, cwd=folder, env=environment()) as running:
        yield Served(folder, running.link())
        assert running.end() == 0


@pytest.fixture(params=["store", "server"])
def settings(request: pytest.FixtureRequest, served: Served) -> dict[str, str]:
    """The environment that leads to the store, or to the server on it."""
    if request.param == "server":
        return {"JOBDECK_URL": served.link[0], "JOBDECK_TOKEN": served.link[1]}
    return {"JOBDECK_STORE": f"sqlite:///{served.folder}/jobdeck.db"}


@pytest.fixture
def jobdeck(
    settings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Jobdeck:
    """Runs a command in this process; it must not tell of an unforeseen error."""
    for name in [name for name in os.environ if name.startswith("JOBDECK_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*argv: str, code: int | None = 0) -> Ran:
        capsys.readouterr()
        ended = main(list(argv))
        said = capsys.readouterr()
        assert "mistake in Jobdeck" not in said.err, said.err
        assert code is None or ended == code, said
        return Ran(ended, said.out, said.err)

    return run


def status_of(jobdeck: Jobdeck, number: int) -> str:
    found: str = jobdeck("jobs", "show", str(number), "--json").json["status"]
    return found


def test_run_waits_and_tells_the_result(jobdeck: Jobdeck) -> None:
    job = jobdeck("run", "double", "-p", "n=21", "-p", "label=7", "--wait", "--json").json
    assert (job["status"], job["result"]) == ("completed", {"n": 42, "label": "7"})
    text = jobdeck("run", "double", "--wait").out
    assert "completed" in text


def test_run_exits_1_if_the_job_does_not_complete(jobdeck: Jobdeck) -> None:
    ran = jobdeck("run", "fails", "-p", "message=on purpose", "--wait", code=1)
    assert "ValueError: on purpose" in ran.out


def test_run_exits_1_when_the_time_is_up(jobdeck: Jobdeck) -> None:
    ran = jobdeck("run", "slow", "--wait", "--timeout", "0.2", "--json", code=1)
    assert "goes on" in ran.err
    jobdeck("jobs", "kill", str(ran.json["id"]))


def test_run_takes_a_file_and_a_time(jobdeck: Jobdeck, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"n": 4, "label": "file"}')
    argv = ["run", "double", "--params", "params.json", "-p", "n=5", "--at", "2199-01-01"]
    job = jobdeck(*argv, "--json").json
    assert job["status"] == "scheduled"
    assert job["params"] == {"n": 5, "label": "file"}
    assert jobdeck("jobs", "stop", str(job["id"])).out == f"Job {job['id']} is stopped.\n"


def test_jobs_are_listed_counted_and_shown(jobdeck: Jobdeck) -> None:
    done = jobdeck("run", "both", "--wait", "--json").json
    failed = jobdeck("run", "fails", "-p", "message=needle", "--wait", "--json", code=1).json
    listed = jobdeck("jobs", "list", "flow:both", "status:completed", "since:1h", "--json").json
    assert done["id"] in [job["id"] for job in listed["items"]]
    assert {job["flow"] for job in listed["items"]} == {"both"}
    found = jobdeck("jobs", "list", "needle", "--status", "failed,stopped").out
    assert f"{failed['id']} failed" in found
    one = jobdeck("jobs", "list", "--limit", "1", "--json").json
    assert len(one["items"]) == 1
    assert one["next"]
    assert jobdeck("jobs", "list", "flow:nothing_like_it").out == "No jobs match.\n"
    counted = jobdeck("jobs", "count", "--flow", "both", "--json").json
    assert counted["completed"] >= 1
    assert counted["failed"] == 0
    shown = jobdeck("jobs", "show", str(done["id"])).out
    assert "second" in shown
    assert jobdeck("jobs", "show", str(failed["id"]), "--json").json["error"]["message"] == "needle"


def test_logs_are_printed(jobdeck: Jobdeck) -> None:
    number = jobdeck("run", "double", "--wait", "--json").json["id"]
    argv = ["jobs", "logs", str(number)]
    text = jobdeck(*argv, "--follow").out
    assert "doubling" in text
    assert "n=1" in text
    assert "printed" in text
    lines = [json.loads(line) for line in jobdeck(*argv, "--json").out.splitlines()]
    assert {line["message"] for line in lines} == {"doubling", "printed"}
    assert "printed" not in jobdeck(*argv, "--search", "doubl").out


def test_a_job_is_stopped_retried_and_deleted(jobdeck: Jobdeck) -> None:
    number = jobdeck("run", "slow", "--json").json["id"]
    until(lambda: status_of(jobdeck, number) == "running", "its beginning")
    assert "stopping" in jobdeck("jobs", "stop", str(number), "--reason", "for a test").out
    until(lambda: status_of(jobdeck, number) == "stopped", "its end")
    assert "for a test" in jobdeck("jobs", "show", str(number)).out
    assert jobdeck("jobs", "retry", str(number)).code == 0
    until(lambda: status_of(jobdeck, number) == "running", "its second beginning")
    refused = jobdeck("jobs", "delete", str(number), "999999999", code=1).err
    assert len(refused.splitlines()) == 2
    jobdeck("jobs", "kill", str(number))
    until(lambda: status_of(jobdeck, number) == "stopped", "its second end")
    assert jobdeck("jobs", "delete", str(number), "--json").json == {"deleted": [number]}
    jobdeck("jobs", "show", str(number), code=1)


def test_queues_are_paused_stopped_and_resumed(jobdeck: Jobdeck) -> None:
    paused = jobdeck("queues", "pause", "aside", "--reason", "a test", "--json").json
    assert paused[0]["paused_reason"] == "a test"
    number = jobdeck("run", "aside", "--json").json["id"]
    assert "a test" in jobdeck("queues", "list").out
    assert jobdeck("queues", "stop", "aside", "--json").json == {"queues": {"aside": 1}}
    assert status_of(jobdeck, number) == "stopped"
    assert jobdeck("queues", "resume", "aside", "--json").json[0]["paused_at"] is None
    jobdeck("jobs", "retry", str(number))
    until(lambda: status_of(jobdeck, number) == "completed", "its end")


def test_schedules_are_added_paused_run_and_removed(jobdeck: Jobdeck) -> None:
    defined = jobdeck("schedules", "list", "--flow", "both", "--json").json
    assert [each["cron"] for each in defined] == ["0 5 * * *"]
    argv = ["schedules", "add", "double", "--cron", "0 6 * * 1", "--timezone", "Europe/Amsterdam"]
    added = jobdeck(*argv, "-p", "n=3", "--json").json
    assert added["params"] == {"n": 3}
    number = str(added["id"])
    assert "paused by" in jobdeck("schedules", "pause", number).out
    assert jobdeck("schedules", "resume", number, "--json").json[0]["next_at"]
    job = jobdeck("schedules", "run", number, "--json").json
    assert job["schedule"] == added["id"]
    until(lambda: status_of(jobdeck, job["id"]) == "completed", "the end of its job")
    assert "Europe/Amsterdam" in jobdeck("schedules", "list").out
    assert jobdeck("schedules", "remove", number, "--json").json == {"removed": added["id"]}
    every = jobdeck("schedules", "add", "double", "--every", "2h").out
    assert "every 2 h;" in every
    jobdeck("schedules", "remove", every.split()[1])


def test_flows_run_after_flows(jobdeck: Jobdeck) -> None:
    argv = ["flows", "add", "later", "--pipeline", "double", "--after", "both:ended", "-p", "n=4"]
    assert jobdeck(*argv, "--after", "double", "--json").json["after"] == ["both:ended", "double"]
    assert "both:ended, double" in jobdeck("flows", "show", "later").out
    assert "→" in jobdeck("flows", "edit", "double", "--after", "later", code=2).err
    jobdeck("flows", "edit", "later", "--after", "double")
    first = jobdeck("run", "double", "-p", "n=1", "--wait", "--json").json["id"]

    def followed() -> list[str]:
        found = jobdeck("jobs", "list", "--flow", "later", "--json").json["items"]
        return [job["created_by"] for job in found if job["status"] == "completed"]

    until(lambda: f"job {first}" in followed(), "the job that follows")
    edited = jobdeck("flows", "edit", "later", "--after", "none", "--json").json
    assert edited["after"] == []
    jobdeck("flows", "remove", "later")


def test_schedules_take_rules(jobdeck: Jobdeck) -> None:
    argv = ["schedules", "add", "double", "--every", "1h", "--start", "2100-01-01T10:00Z"]
    argv += ["--end", "2100-01-01T12:30Z", "--jitter", "30s", "--misfire", "all"]
    added = jobdeck(*argv, "--overlap", "queue", "-p", "n=3", "--vendor-type", "erp", "--json").json
    assert (added["misfire"], added["overlap"], added["jitter_s"]) == ("all", "queue", 30.0)
    assert added["start_at"] == added["next_at"] == "2100-01-01T10:00:00Z"
    number = str(added["id"])
    ticks = jobdeck("schedules", "next", number, "--count", "9", "--json").json
    assert [tick[11:16] for tick in ticks] == ["10:00", "11:00", "12:00"]
    argv = ["schedules", "edit", number, "--every", "2h", "--end", "none", "--jitter", "none"]
    edited = jobdeck(*argv, "-p", "label=x", "--json").json
    assert (edited["end_at"], edited["jitter_s"], edited["interval_s"]) == (None, 0.0, 7200.0)
    assert (edited["params"], edited["misfire"]) == ({"n": 3, "label": "x"}, "all")
    assert len(jobdeck("schedules", "next", number).out.splitlines()) == 5
    assert "erp" in jobdeck("schedules", "list").out
    jobdeck("schedules", "remove", number)


def test_flows_are_added_edited_and_removed(jobdeck: Jobdeck) -> None:
    argv = ["flows", "add", "triple", "--pipeline", "double", "--queue", "aside", "-p", "n=3"]
    added = jobdeck(*argv, "--retries", "2", "--timeout", "5m", "--json").json
    assert (added["queue"], added["params"], added["timeout_s"]) == ("aside", {"n": 3}, 300.0)
    edited = jobdeck("flows", "edit", "triple", "-p", "label=3", "--priority", "5", "--json").json
    assert (edited["params"], edited["priority"]) == ({"n": 3, "label": "3"}, 5)
    assert edited["retry"]["retries"] == 2
    assert "integer" in jobdeck("flows", "show", "triple").out
    assert jobdeck("run", "triple", "--wait", "--json").json["result"]["n"] == 6
    assert "triple" in jobdeck("flows", "list", "--pipeline", "double").out
    jobdeck("flows", "remove", "triple")
    jobdeck("flows", "show", "triple", code=1)


def test_pipelines_are_imported_and_removed(jobdeck: Jobdeck, tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text(
        "from jobdeck import job\n\n@job\ndef imported() -> None:\n    pass\n"
    )
    added = jobdeck("pipelines", "import", "more.py", "--no-publish", "--json").json
    assert (added[0]["name"], added[0]["published_version"]) == ("imported", None)
    assert "not published" in jobdeck("pipelines", "list").out
    assert "imported" in jobdeck("run", "imported", code=1).err
    assert jobdeck("pipelines", "publish", "imported", "--json").json[0]["published_version"] == 1
    assert jobdeck("pipelines", "unpublish", "imported").code == 0
    jobdeck("pipelines", "remove", "imported")
    assert "imported" not in jobdeck("pipelines", "list").out


def test_workers_are_listed_and_freed(jobdeck: Jobdeck) -> None:
    def listed() -> Any:
        return jobdeck("workers", "list", "--json").json

    # One that a killed job took with it is about to be replaced.
    until(lambda: len(listed()["workers"]) == 2, "two workers")
    assert listed()["pools"][0]["concurrency"] == 2
    number = jobdeck("run", "slow", "--json").json["id"]

    def busy() -> list[int]:
        return [worker["id"] for worker in listed()["workers"] if worker["job"] == number]

    until(busy, "a busy worker")
    assert "slow" in jobdeck("workers", "list").out
    assert str(number) in jobdeck("workers", "free", str(busy()[0])).out
    until(lambda: status_of(jobdeck, number) == "stopped", "the end of its job")
    assert jobdeck("workers", "free", "all").out == "No worker is busy.\n"


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["run", "duble"], 1, "'double'"),
        (["run", "double", "-p", "n=x"], 2, "params.n"),
        (["run", "double", "-p", "m=1"], 2, "m"),
        (["run", "double", "-p", "n"], 2, "name=value"),
        (["run", "double", "--params", "none.json"], 2, "none.json"),
        (["run", "double", "--params", "bad.json"], 2, "bad.json"),
        (["run", "double", "--at", "soon"], 2, "soon"),
        (["run", "double", "--priority", "9999999999"], 2, "priority"),
        (["schedules", "add", "double", "--cron", "61 * * * *"], 2, "61 * * * *"),
        (["schedules", "add", "double", "--cron", "0 0 30 2 *"], 2, "cron"),
        (["schedules", "add", "double", "--every", "soon"], 2, "soon"),
        (["schedules", "add", "double", "--every", "1h", "--timezone", "Mars"], 2, "Mars"),
        (["schedules", "add", "nothing", "--every", "1h"], 1, "nothing"),
        (["schedules", "add", "double"], 2, "--cron"),
        (["schedules", "add", "double", "--every", "1h", "--misfire", "twice"], 2, "misfire"),
        (["schedules", "add", "double", "--every", "1h", "--overlap", "no"], 2, "overlap"),
        (["schedules", "add", "double", "--every", "1h", "--end", "2001-01-01"], 2, "end_at"),
        (["schedules", "add", "double", "--every", "1h", "--start", "soon"], 2, "start"),
        (["schedules", "add", "double", "--every", "100ms"], 2, "interval_s"),
        (["schedules", "next", "999999"], 1, "999999"),
        (["schedules", "pause", "999999"], 1, "999999"),
        (["schedules", "pause", "x"], 2, "x"),
        (["schedules", "run", "999999"], 1, "999999"),
        (["jobs", "show", "999999999"], 1, "999999999"),
        (["jobs", "show", "99999999999999999999"], 1, "99999999999999999999"),
        (["jobs", "retry", "999999999"], 1, "999999999"),
        (["jobs", "list", "status:done"], 2, "done"),
        (["jobs", "list", "--sort", "colour"], 2, "colour"),
        (["jobs", "list", "--since", "soon"], 2, "soon"),
        (["jobs", "count", "--flow", "nothing"], 1, "nothing"),
        (["queues", "pause", "nothing"], 1, "nothing"),
        (["workers", "free", "999999"], 1, "999999"),
        (["workers", "drain", "999999"], 1, "999999"),
        (["flows", "show", "nothing"], 1, "nothing"),
        (["flows", "add", "a b", "--pipeline", "double"], 2, "name"),
        (["flows", "add", "double", "--pipeline", "double"], 1, "double"),
        (["flows", "remove", "double"], 1, "default"),
        (["pipelines", "import", "none.py"], 1, "none.py"),
        (["pipelines", "publish", "nothing"], 1, "nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_sentence(
    jobdeck: Jobdeck, tmp_path: Path, argv: list[str], code: int, says: str
) -> None:
    (tmp_path / "bad.json").write_text("{")
    before = jobdeck("jobs", "count", "--json").json
    schedules = jobdeck("schedules", "list", "--json").json
    ran = jobdeck(*argv, code=code)
    assert says in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert ran.out == ""
    assert sum(jobdeck("jobs", "count", "--json").json.values()) == sum(before.values())
    assert len(jobdeck("schedules", "list", "--json").json) == len(schedules)


def test_a_store_and_a_server_say_the_same(served: Served, tmp_path: Path) -> None:
    store = {"JOBDECK_STORE": f"sqlite:///{served.folder}/jobdeck.db"}
    server = {"JOBDECK_URL": served.link[0], "JOBDECK_TOKEN": served.link[1]}

    def said(argv: list[str], settings: dict[str, str]) -> Any:
        command = [sys.executable, "-m", "jobdeck.cli", *argv, "--json"]
        env = environment(**settings)
        return json.loads(subprocess.check_output(command, cwd=tmp_path, env=env))

    number = str(said(["run", "both", "--wait"], store)["id"])
    for argv in (["jobs", "show", number], ["flows", "list"], ["pipelines", "list"]):
        assert said(argv, store) == said(argv, server)


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        ("http://127.0.0.1:1", "", "does not answer"),
        ("nowhere", "", "not an address"),
        (None, "wrong", "not valid"),
        (None, "", "sign"),
    ],
)
def test_a_server_that_refuses(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str | None,
    token: str,
    says: str,
) -> None:
    monkeypatch.setenv("JOBDECK_URL", url or served.link[0])
    monkeypatch.setenv("JOBDECK_TOKEN", token)
    assert main(["jobs", "list"]) != 0
    said = capsys.readouterr().err
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_waiting_can_be_left(served: Served) -> None:
    settings = {"JOBDECK_STORE": f"sqlite:///{served.folder}/jobdeck.db"}
    argv = [sys.executable, "-m", "jobdeck.cli", "run", "slow", "--wait"]
    with Launched(argv, cwd=served.folder, env=environment(**settings)) as waiting:
        before = [sys.executable, "-m", "jobdeck.cli", "jobs", "list", "flow:slow", "--json"]
        env = environment(**settings)

        def running() -> list[int]:
            found = json.loads(subprocess.check_output(before, cwd=served.folder, env=env))
            return [job["id"] for job in found["items"] if job["status"] == "running"]

        until(running, "the job")
        number = running()[0]
        waiting.process.send_signal(signal.SIGINT)
        assert waiting.process.wait(60) == 130
        assert "goes on" in waiting.said()
    kill = [sys.executable, "-m", "jobdeck.cli", "jobs", "kill", str(number)]
    subprocess.run(kill, cwd=served.folder, env=env, check=True)


def test_db_is_created_and_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOBDECK_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["db", "status"]) == 1
    assert not (tmp_path / "jobdeck.db").exists()
    assert main(["db", "migrate"]) == 0
    assert main(["db", "status"]) == 0
    assert main(["db", "migrate"]) == 0
    assert "needs no migration" in capsys.readouterr().out
    assert main(["db", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ready"] is True
