"""Telling whether the kernel has ended a process for lack of memory."""

from pathlib import Path

from jobdeck.engine.memory import Killer


def test_the_kernels_victims_are_noticed_once(tmp_path: Path) -> None:
    counts = tmp_path / "vmstat"
    counts.write_text("pgfault 12\noom_kill 3\n")
    killer = Killer(counts)
    assert not killer.struck()
    counts.write_text("pgfault 99\noom_kill 4\n")
    assert killer.struck()
    assert not killer.struck()


def test_where_the_system_does_not_count_them_none_is_noticed(tmp_path: Path) -> None:
    assert not Killer(tmp_path / "none").struck()
