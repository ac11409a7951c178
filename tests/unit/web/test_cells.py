"""What the cells of tables look like."""

from markupsafe import Markup

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.states import Status
from jobdeck.store.charts import Bar
from jobdeck.web import cells
from jobdeck.web.cells import Cells

NOW = clock.from_iso("2026-11-25T20:00:00Z")
BAD = "<b>\"'&"
SAFE = "&lt;b&gt;&#34;&#39;&amp;"


def icon(name: str, css: str = "") -> Markup:
    return Markup("[{}{}]").format(name, css and f" {css}")


def test_an_instant_and_a_duration_can_be_told_again_by_the_page() -> None:
    at = NOW - 90 * SECOND
    assert cells.time(at, NOW, "clock") == (
        '<time datetime="2026-11-25T19:58:30.000Z" data-style="clock" '
        'title="2026-11-25 19:58:30 UTC">19:58:30</time>'
    )
    assert "not yet" in cells.time(None, NOW)
    assert cells.lasting(at, NOW, NOW) == "1 min 30 s"
    assert cells.lasting(NOW, at, NOW) == "0 ms"
    growing = '<time data-since="2026-11-25T19:58:30.000Z">1 min 30 s</time>'
    assert cells.lasting(at, None, NOW) == growing
    assert "not begun" in cells.lasting(None, None, NOW)


def test_a_state_has_a_shape_a_colour_and_a_word() -> None:
    state = Cells(icon).state
    assert state(Status.FAILED) == '<span class="state tone-failed">[failed]failed</span>'
    stopping = '<span class="state tone-stopping large">[stopping turning]killing</span>'
    assert state(Status.RUNNING, "kill", large=True) == stopping


def test_what_others_wrote_is_escaped() -> None:
    row = Cells(icon)
    for made in (
        cells.pick("id", BAD, BAD),
        row.opener(BAD, BAD, "stop"),
        row.icon_opener(BAD, BAD, "stop"),
        row.choice(BAD, BAD, "stop"),
    ):
        assert "<b>" not in made
        assert made.count(SAFE) >= 2


def test_failures_of_each_hour_are_bars() -> None:
    drawn = cells.trend([0, 40, 1], "3 hours")
    assert 'aria-label="41 failures in the last 3 hours, at most 40 in an hour"' in drawn
    assert '<rect x="4" y="0" width="3" height="20"/>' in drawn
    assert '<rect x="8" y="18" width="3" height="2"/>' in drawn
    assert drawn.count("<rect") == 3


def test_bars_are_numbers_for_the_script_and_rows_for_readers() -> None:
    bars = [Bar(at=NOW, completed=3, open=1), Bar(at=NOW + 60 * SECOND)]
    start = NOW // SECOND
    assert cells.points(bars) == f"[[{start},3,0,0,1],[{start + 60},0,0,0,0]]"
    assert cells.point_rows(bars) == (
        '<tr><th scope="row">2026-11-25 20:00:00 UTC</th>'
        "<td>3</td><td>0</td><td>0</td><td>1</td></tr>"
    )
