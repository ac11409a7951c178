"""How the last runs are shown."""

from __future__ import annotations

from jobdeck.domain.health import Run
from jobdeck.domain.states import Reason, Status
from jobdeck.web import health


def run(job: int, seconds: float, status: Status = Status.COMPLETED, **more: Reason) -> Run:
    return Run(job=job, status=status, started_at=0, finished_at=round(seconds * 1e6), **more)


def test_the_marks_stand_in_the_order_of_time() -> None:
    newest_first = [
        run(4, 1, Status.FAILED, reason=Reason.ERROR),
        run(3, 1, reason=Reason.NO_ITEMS),
        run(2, 1),
        Run(job=1, status=Status.STOPPED),
    ]
    shown = health.show(newest_first)
    assert shown.marks == ["stopped", "completed", "empty", "failed"]
    assert shown.words == "Last 4 runs: 1 completed, 1 failed, 1 without items, 1 stopped"
    assert (shown.word, shown.text) == ("some failed", "The last run failed.")
    assert health.show([]).word == "no runs yet"


def test_bars_are_as_high_as_the_runs_were_long() -> None:
    made = health.chart([run(2, 4.0), run(1, 2.0), Run(job=0, status=Status.STOPPED)])
    assert [(bar.job, bar.height) for bar in made.bars] == [(1, 50.0), (2, 100.0)]
    assert "half took at most" in made.text
    assert "logarithmic" not in made.text
    assert health.chart([]).bars == []


def test_one_long_run_does_not_flatten_the_others() -> None:
    made = health.chart([run(9, 3600.0), *(run(n, 1.0 + n % 3) for n in range(8))])
    assert made.text.endswith("the scale is logarithmic")
    heights = [bar.height for bar in made.bars]
    assert max(heights) == heights[-1]
    assert all(5 < height < 60 for height in heights[:-1])
    assert health.chart([run(1, 0.0), run(2, 0.0)]).bars[0].height > 0
