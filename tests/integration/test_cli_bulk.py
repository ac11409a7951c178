"""The commands over many jobs, on a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobdeck.cli.main import main
from jobdeck.domain.states import Code
from jobdeck.store.database import Store
from tests.integration.commands import run
from tests.integration.hands import Hands, define


@pytest.fixture
def database() -> str:
    """One is enough: the other is tested below the commands."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _here(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    define(store)
    monkeypatch.setenv("JOBDECK_STORE", store.address)


def test_some_and_all(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    ids = [str(run(capsys, "run", "weather", "-p", "city=Gouda")["id"]) for _ in range(4)]
    told = run(capsys, "jobs", "priority", *ids[:2], "404", "--to", "7", code=1)
    assert (told["done"], told["skipped"]) == (2, 1)
    run(capsys, "jobs", "move", ids[0], "--to", "nowhere", code=1)
    dry = run(capsys, "jobs", "stop", "--filter", "status:pending", "--dry-run")
    assert (dry["number"], dry["action"]) == (4, "stop")
    # Nobody is there to be asked.
    run(capsys, "jobs", "stop", "--filter", "status:pending", code=2)
    run(capsys, "jobs", "stop", code=2)
    run(capsys, "jobs", "stop", ids[0], "--filter", "", code=2)
    run(capsys, "jobs", "stop", "--filter", "colour:red", "--yes", code=2)
    # No maintenance runs: the command does it.
    job = run(capsys, "jobs", "stop", "--filter", "status:pending", "--yes", "--reason", "flood")
    assert (job["status"], job["queue"], job["result"]["done"]) == ("completed", "BULK", 4)
    items = run(capsys, "jobs", "items", str(job["id"]), "--limit", "2")
    assert [str(item["job"]) for item in items] == ids[:2]
    assert run(capsys, "jobs", "retry", ids[0])[0]["status"] == "pending"
    waits = run(capsys, "jobs", "retry", "--filter", "status:stopped", "--yes", "--detach")
    assert waits["status"] == "pending"


def test_in_words(capsys: pytest.CaptureFixture[str], store: Store) -> None:
    for _ in range(2):
        main(["run", "weather", "-p", "city=Gouda"])
    Hands(store).run(Code.COMPLETED)
    capsys.readouterr()
    assert main(["jobs", "delete", "--filter", "", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out == "2 jobs, such as 1, 2 would be deleted, where that can be done.\n"
    assert main(["jobs", "delete", "--filter", "flow:weather", "-y"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "2 deleted."
    assert main(["jobs", "items", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["1", "done"]


def test_export(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for _ in range(2):
        run(capsys, "run", "weather", "-p", "city=Gouda")
    file = tmp_path / "jobs.jsonl"
    told = run(capsys, "jobs", "export", "--filter", "flow:weather", "-o", str(file))
    assert told == {"file": str(file), "jobs": 2}
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [2, 1]
    assert main(["jobs", "export"]) == 0
    assert capsys.readouterr().out.startswith("id,pipeline,flow,")
    job = run(capsys, "jobs", "export", "--job", "--filter", "flow:weather")
    assert (job["queue"], job["result"]["jobs"]) == ("EXPORT", 2)
    run(capsys, "jobs", "export", "--job", "-o", "x.csv", code=2)
    run(capsys, "jobs", "export", "--filter", "colour:red", code=2)
    assert main(["jobs", "export", "-o", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"jobdeck: Cannot write {tmp_path}: Is a directory.\n"
    assert [each.name for each in tmp_path.parent.glob("*.part")] == []


def test_cleanup(capsys: pytest.CaptureFixture[str]) -> None:
    job = run(capsys, "cleanup", "--dry-run")
    assert (job["queue"], job["status"], job["result"]["dry_run"]) == ("CLEANUP", "completed", True)
    assert main(["cleanup"]) == 0
    assert "Nothing is too old." in capsys.readouterr().out
