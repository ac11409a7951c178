"""How a line of a log is drawn."""

from jobdeck.domain import clock
from jobdeck.domain.records import LogLine
from jobdeck.web import logs

AT = clock.from_iso("2026-11-25T20:00:00.125Z")
BAD = '<b>"&'
SAFE = "&lt;b&gt;&#34;&amp;"


def line(text: str, **more: object) -> LogLine:
    told = {"id": 7, "at": AT, "attempt": 1, "level": "info", "stream": "log", "step": ""}
    return LogLine(**{**told, "message": text, "fields": None, **more})  # type: ignore[arg-type]


def test_a_line_has_its_own_address() -> None:
    assert logs.row("/jobs/3", "", line("hello")) == (
        '<div class="line level-info" id="L7"><a class="at" href="/jobs/3?line=7#L7">'
        '<time datetime="2026-11-25T20:00:00.125Z" data-style="log">20:00:00.125</time></a>'
        '<span class="level">info</span><span class="text">hello</span></div>'
    )
    assert "<mark>ell</mark>o" in logs.row("/jobs/3", "ell", line("hello"))


def test_what_jobs_say_is_escaped() -> None:
    drawn = logs.row("/jobs/3", "b", line(BAD, level=BAD, step=BAD, fields={BAD: BAD}))
    assert "<b>" not in drawn
    assert drawn.count(SAFE) == 5
    assert "&lt;<mark>b</mark>&gt;" in drawn
