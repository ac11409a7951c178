"""What a stream sends: only what looks different from what the browser shows."""

from __future__ import annotations

from jobdeck.web import live
from jobdeck.web.drawings import Frame
from jobdeck.web.live import Seen


def event(frame: Frame, known: Seen) -> tuple[str, Seen]:
    """The event as text, and what the browser shows afterwards."""
    drawn = live.Drawn(lambda: frame)
    return drawn.event(known).decode(), drawn.seen


def test_nothing_new_sends_nothing() -> None:
    frame = Frame({"head": "<p>a</p>", "side": "<p>b</p>"})
    text, seen = event(frame, live.seen(frame))
    assert text == ""
    assert seen == live.seen(frame)


def test_only_the_region_that_changed_is_sent() -> None:
    before = live.seen(Frame({"head": "<p>a</p>", "side": "<p>b</p>"}))
    text, seen = event(Frame({"head": "<p>a</p>", "side": "<p>c\nd</p>"}), before)
    assert "region-side" in text
    assert "region-head" not in text
    assert "data: d</p></hx-partial>\n" in text
    assert text.startswith(f"id: {seen}\n")
    assert text.endswith("\n\n")


def test_what_a_browser_shows_survives_its_id() -> None:
    seen = live.seen(Frame({"head": "<p>a</p>", "side": ""}, position=42))
    assert live.read_seen(str(seen)) == seen


def test_nonsense_shows_nothing() -> None:
    assert live.read_seen("") == Seen({})
    assert live.read_seen("x~y~z") == Seen({})
    assert live.read_seen("9" * 40) == Seen({})


def test_a_growing_duration_is_no_change() -> None:
    one = '<td><time data-since="2026-11-20T10:00:00.000Z">12 s</time></td>'
    assert live.digest(one) == live.digest(one.replace("12 s", "13 s"))
    assert live.digest(one) != live.digest(one.replace("10:00:00", "10:00:01"))


def test_new_lines_are_appended() -> None:
    frame = Frame({"head": "a"}, tail='<div id="L7">x\u2028\ry</div>', position=7)
    text, seen = event(frame, live.seen(Frame({"head": "a"}, position=3)))
    assert 'hx-target="#tail" hx-swap="beforeend"' in text
    assert "x\u2028" in text
    assert "\r" not in text
    assert seen.position == 7
