"""Code that cannot be loaded, and how that is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jobdeck.domain.errors import LoadFailed
from jobdeck.worker.loader import load_manifests
from jobdeck.worker.protocol import NotLoaded, Ready
from tests.integration.worker.peer import PATIENCE_S, Peer

JOB = "from jobdeck import job\n@job\ndef one(n: int = 1): ...\n"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def broken(:\n", "pipelines.py, line 1: invalid syntax"),
        ("import no_such_module_here\n", "imports 'no_such_module_here', which is not installed"),
        ("x = 1\n", "defines no pipelines"),
        ("raise SystemExit(4)\n", "called sys.exit(4) while it was loaded"),
        ("def f():\n    f()\nf()\n", "RecursionError"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        (JOB + "@job(name='one')\ndef two(): ...\n", "Two pipelines are called 'one'"),
        (JOB + "one.enqueue(n=1)\n", "enqueues jobs while it is loaded"),
        (JOB + "@job\ndef two(a: 'Nothing'): ...\n", "cannot be resolved"),
        ("from jobdeck import Pipeline\nPipeline('p')\n", "has no steps"),
    ],
)
def test_a_module_that_cannot_be_loaded_is_told_in_one_sentence(
    tmp_path: Path, code: str, words: str
) -> None:
    path = tmp_path / "pipelines.py"
    path.write_text(code)

    with pytest.raises(LoadFailed) as failed:
        load_manifests(str(path))

    assert words in str(failed.value)
    assert "\n" not in str(failed.value)
    assert "jobdeck/worker" not in failed.value.detail


def test_a_worker_says_that_it_could_not_load_and_ends(tmp_path: Path) -> None:
    peer = Peer(tmp_path, "import no_such_module_here\n")
    try:
        told = peer.first(NotLoaded)
        assert "no_such_module_here" in told.message
        assert "pipelines.py" in told.traceback
        assert peer.process.wait(PATIENCE_S) == 3
    finally:
        peer.close()


def test_the_loader_tells_what_a_file_defines(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("x = 1\n")
    path = tmp_path / "orders.py"
    path.write_text("import helper\nprint('chatter')\n" + JOB)

    report = load_manifests(str(path))

    (manifest,) = report.pipelines
    assert manifest.name == "one"
    assert manifest.source == "orders.py"
    assert manifest.params_schema["properties"]["n"] == {"type": "integer", "default": 1}
    assert report.files == [str(tmp_path / "helper.py"), str(path)]


def test_what_python_has_kept_of_older_code_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    path, helper = tmp_path / "orders.py", tmp_path / "shop" / "names.py"
    helper.parent.mkdir()
    for n in (1, 2):
        path.write_text(f"from shop.names import NAME\n{JOB.replace('@job', '@job(name=NAME)')}")
        helper.write_text(f"NAME = 'job{n}'\n")
        os.utime(helper, (1_000_000, 1_000_000))  # as a tool may set it that deploys

        (manifest,) = load_manifests(str(path)).pipelines

        assert manifest.name == f"job{n}"


def test_loader_and_worker_agree_on_the_fingerprint(tmp_path: Path) -> None:
    peer = Peer(tmp_path, JOB)
    try:
        versions = peer.first(Ready).versions
    finally:
        peer.close()

    report = load_manifests(str(tmp_path / "pipelines.py"))
    assert {m.name: m.fingerprint for m in report.pipelines} == versions


def test_the_fingerprint_changes_with_the_code_and_not_with_its_place(tmp_path: Path) -> None:
    prints = []
    for folder, code in [("a", JOB), ("b", JOB), ("c", JOB + "# another comment\n")]:
        path = tmp_path / folder / "orders.py"
        path.parent.mkdir()
        path.write_text(code)
        prints.append(load_manifests(str(path)).pipelines[0].fingerprint)

    assert prints[0] == prints[1] != prints[2]


def test_a_module_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shop" / "jobs"
    package.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "mail.py").write_text("from shop import jobs\n" + JOB)
    monkeypatch.chdir(tmp_path)

    by_name = load_manifests("shop.jobs.mail").pipelines[0]
    by_path = load_manifests(str(package / "mail.py")).pipelines[0]

    assert by_name.source == "shop/jobs/mail.py"
    assert by_name.fingerprint == by_path.fingerprint


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module_here", "There is no module 'no_such_module_here'"),
        ("nowhere/pipelines.py", "There is no file nowhere/pipelines.py"),
        (".", "is a folder"),
        ("notes.txt", "is no Python file"),
    ],
)
def test_a_target_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").touch()

    with pytest.raises(LoadFailed, match=words):
        load_manifests(target)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os\nos._exit(7)\n", "ended the process that loads it (exit status 7)"),
        ("import os, signal\nos.kill(os.getpid(), 11)\n", "SIGSEGV"),
        ("import os\nos.closerange(3, 1000)\n" + JOB, "ended the process that loads it"),
    ],
)
def test_code_that_ends_the_process_is_told(tmp_path: Path, code: str, words: str) -> None:
    path = tmp_path / "pipelines.py"
    path.write_text("import sys\nprint('last words', file=sys.stderr, flush=True)\n" + code)

    with pytest.raises(LoadFailed) as failed:
        load_manifests(str(path))

    assert words in str(failed.value)
    assert "last words" in failed.value.detail


def test_code_that_takes_for_ever_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "pipelines.py"
    path.write_text("while True: pass\n")

    with pytest.raises(LoadFailed, match="was not loaded within 1"):
        load_manifests(str(path), timeout_s=1.0)


def test_what_loading_leaves_running_does_not_hold_it_up(tmp_path: Path) -> None:
    path = tmp_path / "pipelines.py"
    path.write_text(
        JOB + "import os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "if os.fork() == 0:\n    time.sleep(600)\n"
    )

    assert load_manifests(str(path), timeout_s=60.0).pipelines


def test_user_code_is_not_told_where_the_store_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBDECK_STORE", "postgresql://me:hush@db/jobs")
    path = tmp_path / "pipelines.py"
    path.write_text(JOB + "import os\nassert 'JOBDECK_STORE' not in os.environ\n")

    assert load_manifests(str(path)).pipelines


def test_an_empty_target_is_a_worker_without_pipelines(tmp_path: Path) -> None:
    peer = Peer(tmp_path)
    try:
        assert peer.first(Ready).versions == {}
        assert peer.run("any").reason == "not_loaded"
        assert peer.leave() == 0
    finally:
        peer.close()


def test_the_interpreter_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "pipelines.py"
    path.write_text(JOB + f"import sys\nassert sys.prefix == {sys.prefix!r}\n")

    assert load_manifests(str(path)).pipelines
