"""The supervisor keeps its children alive, and takes all of them with it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.launched import Launched, until

DRIVER = """
import sys
from pathlib import Path
from jobdeck.engine.supervisor import ChildSpec, Supervisor

code, end_s = sys.argv[1], float(sys.argv[2])
with Supervisor(end_s=end_s) as supervisor:
    spec = ChildSpec(name="pool", argv=[sys.executable, "-c", code], config=b"go")
    supervisor.keep(spec)
    sys.exit(supervisor.run())
"""
HEARS = "import sys, signal; print('child', sys.stdin.readline().strip(), flush=True); "
WAITS = HEARS + "signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    + HEARS
    + "[signal.pause() for _ in iter(int, 1)]"
)
WITH_ORPHANS = (
    "import subprocess, sys; "
    'code = \'import subprocess, sys, signal; subprocess.Popen([sys.executable, "-c", '
    '"import signal; signal.pause()"], start_new_session=True); signal.pause()\'; '
    "subprocess.Popen([sys.executable, '-c', code], start_new_session=True); " + WAITS
)

Launch = Callable[..., Launched]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    def start(child: str, end_s: float = 90.0) -> Launched:
        argv = [sys.executable, "-c", DRIVER, child, str(end_s)]
        return Launched(argv, cwd=tmp_path)

    return start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_cleanly_with_its_children(launch: Launch, number: signal.Signals) -> None:
    with launch(WAITS) as up:
        up.wait_for("child go")
        assert up.end(number) == 0


def test_starts_and_configures_a_killed_child_again(launch: Launch) -> None:
    with launch(WAITS) as up:
        up.wait_for("child go")
        first = psutil.Process(up.process.pid).children()[0]
        first.kill()
        up.wait_for("killed by SIGKILL")
        until(lambda: up.said().count("child go") == 2, "a second child")
        assert psutil.Process(up.process.pid).children()[0].pid != first.pid
        assert up.end() == 0


def test_gives_up_on_a_child_that_dies_at_once(launch: Launch) -> None:
    with launch("raise SystemExit(3)") as up:
        assert up.process.wait(40) == 1
        assert "ended with exit code 3" in up.said()
        assert "giving up" in up.said()


def test_kills_what_does_not_end_in_time(launch: Launch) -> None:
    with launch(STUBBORN, end_s=0.5) as up:
        up.wait_for("child go")
        assert up.end() == 0
        assert "does not end" in up.said()


def test_a_second_signal_hurries(launch: Launch) -> None:
    with launch(STUBBORN) as up:
        up.wait_for("child go")
        # Not the same one: two of a kind at once are one to the system.
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 0


def test_leaves_no_orphans_of_a_killed_child(launch: Launch) -> None:
    with launch(WITH_ORPHANS) as up:
        until(lambda: len(up.descendants()) == 3, "a child, a grandchild and its child")
        old = up.descendants()
        psutil.Process(up.process.pid).children()[0].kill()
        until(lambda: not any(process.is_running() for process in old), "the end of all three")
        assert up.end() == 0


def test_leaves_no_orphans_at_its_end(launch: Launch) -> None:
    with launch(WITH_ORPHANS) as up:
        until(lambda: len(up.descendants()) == 3, "a child, a grandchild and its child")
        assert up.end() == 0


def test_passes_on_that_the_code_has_changed(launch: Launch) -> None:
    code = HEARS + "signal.sigwait({signal.SIGHUP}); print('recycled', flush=True); signal.pause()"
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}); " + code
    with launch(blocked) as up:
        up.wait_for("child go")
        up.process.send_signal(signal.SIGUSR1)
        up.wait_for("recycled")
        assert up.end() == 0
