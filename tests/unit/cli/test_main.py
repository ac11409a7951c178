"""The command itself: quick to start, clear when it is misused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from jobdeck.cli import main as cli
from jobdeck.cli.complaint import explain
from jobdeck.cli.output import clean
from jobdeck.domain.errors import LoadFailed

HEAVY = ("sqlalchemy", "litestar", "uvicorn", "httpx", "structlog", "watchfiles", "psutil")


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("path", sorted(_commands(cli.jobdeck)), ids=" ".join)
def test_every_command_explains_itself(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*path, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out


def test_help_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys; from jobdeck.cli.main import main; main(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["jbos"], "'jobs'"),
        (["jobs", "lst"], "'list'"),
        (["run"], "FLOW"),
        (["jobs", "show", "x"], "'x'"),
        (["jobs", "list", "--limit", "0"], "--limit"),
        (["jobs", "stop"], "ID"),
        (["--nothing"], "--nothing"),
        (["jobs", "list", "\udcff"], "UTF-8"),
    ],
)
def test_wrong_usage_is_one_line(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert says in said


def test_no_store_is_created_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["jobs", "list"]) == 1
    assert "There is no store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unforeseen_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("jobdeck.cli.connecting.open_client", fail)
    monkeypatch.delenv("JOBDECK_DEBUG", raising=False)
    assert cli.main(["jobs", "list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("jobdeck: RuntimeError: boom")
    assert "JOBDECK_DEBUG" in said
    monkeypatch.setenv("JOBDECK_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli.main(["jobs", "list"])


def test_a_reader_that_has_gone_is_no_error() -> None:
    line = f"{sys.executable} -m jobdeck.cli --help | true"
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert ran.stderr == ""


def test_where_user_code_failed_is_told() -> None:
    trace = 'Traceback:\n  File "/a/x.py", line 3, in f\n  File "/a/y.py", line 7, in g\n'
    assert explain(LoadFailed("x cannot be loaded: boom.", trace)).endswith("(/a/y.py, line 7).")
    assert explain(LoadFailed("x: /a/y.py, line 7: boom", trace)).count("line 7") == 1


def test_nothing_drives_the_terminal() -> None:
    assert "\x1b" not in clean("\x1b[31mred\x07")
